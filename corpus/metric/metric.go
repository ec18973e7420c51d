// Package metric measures how far a decoded picture is from its original, and
// compares codecs by such measurements.
//
// Compare takes two pictures and returns named values:
//
//	v, err := metric.Compare(original, decoded, metric.Default)
//	fmt.Println(v["psnr"], v["ms_ssim"])
//
// # Which one to use
//
// PSNR and MS-SSIM are what publications on learned and on conventional codecs
// report; MS-SSIM follows eyes better, PSNR is hard to fool. SSIMULACRA 2 was
// fitted to what thousands of people said of compressed photographs, and is the
// one to ask whether a picture looks right; Butteraugli models the eye, and is the
// one to ask whether any difference can be seen. Curves of any of them over the
// bits per pixel are compared by Bjontegaard deltas in this package.
//
// # Values
//
// Only finite values are returned. What a pair of pictures leaves undefined is
// absent: the decibels of an exact copy and the metrics for which the pictures
// are too small.
//
//	mse          mean squared error of all samples of R, G and B, on the scale 0..255; 0 is an exact copy
//	psnr         10 log10(255^2/mse), in dB
//	mse_y        mean squared error of the luma of BT.601 in full range (as in JPEG), not rounded
//	mse_u, mse_v the same for Cb and Cr, at full resolution
//	psnr_yuv     (6 PSNR_Y + PSNR_U + PSNR_V)/8, in dB; absent if any plane is exact
//	ssim         Wang et al. 2004, mean over R, G and B, at most 1; for pictures of 11 pixels or more a side
//	ms_ssim      Wang et al. 2003, mean over R, G and B, 0 to 1; for pictures of 161 pixels or more a side
//	ms_ssim_db   -10 log10(1-ms_ssim), in dB
//	ssimulacra2  SSIMULACRA 2.1, at most 100, for pictures of 8 pixels or more a side
//	butteraugli  largest Butteraugli distance, for white of 80 cd/m2: 0 is an exact copy, at about 1 a
//	             difference can just be seen; for pictures of 8 pixels or more a side
//	butteraugli_3norm  mean of the 3-, 6- and 12-norms of the distances, which libjxl calls the 3-norm
//	alpha_mse    mean squared error of alpha, on the scale 0..255; absent if both pictures are opaque
//
// # Conventions
//
// Samples of 16 bits are measured as they are, scaled by 255/65535; nothing is
// rounded to 8 bits. Pictures are compared by their samples, without regard to ICC
// profiles and gamma; SSIMULACRA 2 and Butteraugli take them for sRGB.
//
// Colours are compared as they look over black, which is multiplied by alpha, so
// that the colour of invisible pixels does not count. Hence mse of 0 with
// alpha_mse of 0 or absent says that the pictures look the same over anything,
// not that they are the same in files.
//
// Two gray pictures are one channel, which gives the same values as three equal
// ones, with mse_u and mse_v of 0. A gray picture beside one in colour is three
// equal channels.
//
// image.YCbCr and image.NYCbCrA are converted by color.YCbCrToRGB, which rounds
// to 8 bits and repeats chroma samples, as the copies that image/draw makes.
//
// mse and alpha_mse are the same on all machines to the last bit, other values to
// about ten digits, those of Butteraugli to about six.
package metric
