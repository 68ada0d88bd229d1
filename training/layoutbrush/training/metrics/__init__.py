"""How pictures are judged: l1, PSNR, SSIM, LPIPS and style, whole and inside the mask."""
