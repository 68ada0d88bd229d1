/** What a page may be asked to hold. */

/** Larger pictures are not even decoded: 4 bytes a pixel, several times over, are more than a page is given. */
export const MOST_PIXELS = 120e6;
