/** What the plug-in can't do, in a sentence for the painter. */
export class Problem extends Error {
  override readonly name = "Problem";
}
