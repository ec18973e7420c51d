package prepare

// A spec is how a model's processor works on pixels. Sizes and layouts come from
// package tokens; what is here is what its plans do not tell.
type spec struct {
	prepare    func(j *job, p *raster) error
	filter     filter
	mean, std  [3]float64
	arithmetic arithmetic
	own        bool    // a processor that the model brings, not one of transformers
	only       Backend // Torchvision if there is no other processor
	padSquare  bool    // has the option PadSquare

	tile     int       // side of a tile, or of the only view, pixels
	edge     int       // longer side before tiles are cut, pixels (Idefics3)
	tiles    int       // largest number of tiles (Llama 3.2, Phi-3.5)
	patch    int       // side of a patch, pixels
	merge    int       // patches along the side of a token (Qwen-VL, GLM-V)
	temporal int       // frames of a patch
	whole    int       // side of the view of the whole, pixels (DeepSeek-OCR)
	stretch  bool      // the view of the whole is not padded (DeepSeek-OCR)
	names    [3]string // of tensors, where versions differ
}

// Means and deviations of samples between 0 and 1.
var (
	clipMean     = [3]float64{0.48145466, 0.4578275, 0.40821073}
	clipStd      = [3]float64{0.26862954, 0.26130258, 0.27577711}
	imageNetMean = [3]float64{0.485, 0.456, 0.406}
	imageNetStd  = [3]float64{0.229, 0.224, 0.225}
	half         = [3]float64{0.5, 0.5, 0.5}
)

// specs holds the models by their names in package tokens. Sources: the image
// processors of transformers 5.23.0 with the settings of the released
// preprocessor_config.json; the processors in the repositories of MiniCPM-V 2.6,
// Phi-3.5-vision and DeepSeek-OCR.
var specs = map[string]*spec{
	"qwen2-vl":   {prepare: (*job).patches, filter: bicubic, mean: clipMean, std: clipStd, patch: 14, merge: 2, temporal: 2},
	"qwen2.5-vl": {prepare: (*job).patches, filter: bicubic, mean: clipMean, std: clipStd, patch: 14, merge: 2, temporal: 2},
	"qwen3-vl":   {prepare: (*job).patches, filter: bicubic, mean: half, std: half, patch: 16, merge: 2, temporal: 2},
	"glm-4.1v":   {prepare: (*job).patches, filter: bicubic, mean: clipMean, std: clipStd, patch: 14, merge: 2, temporal: 2},
	"glm-4.6v":   {prepare: (*job).patches, filter: bicubic, mean: clipMean, std: clipStd, patch: 14, merge: 2, temporal: 2},

	"llava-1.5":       {prepare: (*job).centre, filter: bicubic, mean: clipMean, std: clipStd, tile: 336, padSquare: true},
	"llava-next":      {prepare: (*job).anyRes, filter: bicubic, mean: clipMean, std: clipStd, tile: 336},
	"llava-onevision": {prepare: (*job).anyRes, filter: bicubic, mean: half, std: half, tile: 384, names: [3]string{"batch_num_images"}},

	"internvl3": {prepare: (*job).aspectTiles, filter: bicubic, mean: imageNetMean, std: imageNetStd, tile: 448},

	"gemma-3":       {prepare: (*job).panAndScan, filter: bilinear, mean: half, std: half, tile: 896},
	"paligemma-224": {prepare: (*job).square, filter: bicubic, mean: half, std: half, tile: 224},
	"paligemma-448": {prepare: (*job).square, filter: bicubic, mean: half, std: half, tile: 448},
	"paligemma-896": {prepare: (*job).square, filter: bicubic, mean: half, std: half, tile: 896},

	"pixtral":         {prepare: (*job).whole, filter: bicubic, mean: clipMean, std: clipStd},
	"mistral-small-3": {prepare: (*job).whole, filter: bicubic, mean: clipMean, std: clipStd},

	"idefics3":     {prepare: (*job).splitTiles, filter: lanczos, mean: half, std: half, tile: 364, edge: 4 * 364},
	"smolvlm":      {prepare: (*job).splitTiles, filter: lanczos, mean: half, std: half, tile: 384, edge: 4 * 384},
	"smolvlm-500m": {prepare: (*job).splitTiles, filter: lanczos, mean: half, std: half, tile: 512, edge: 4 * 512},

	"llama-3.2": {prepare: (*job).mllama, filter: bilinear, mean: clipMean, std: clipStd, tile: 560, tiles: 4},
	"llama-4":   {prepare: (*job).llama4, filter: bilinear, mean: half, std: half, arithmetic: brain, only: Torchvision, tile: 336},

	"minicpm-v-2.6": {prepare: (*job).slices, filter: bicubic, mean: half, std: half, arithmetic: divided, own: true, tile: 448, patch: 14, merge: 1, names: [3]string{"tgt_sizes"}},
	"minicpm-v-4":   {prepare: (*job).slices, filter: bicubic, mean: half, std: half, arithmetic: divided, own: true, tile: 448, patch: 14, merge: 1, names: [3]string{"tgt_sizes"}},
	"minicpm-v-4.5": {prepare: (*job).slices, filter: bicubic, mean: half, std: half, arithmetic: divided, own: true, tile: 448, patch: 14, merge: 1, names: [3]string{"tgt_sizes"}},
	"minicpm-v-4.6": {prepare: (*job).slices, filter: bicubic, mean: half, std: half, tile: 448, patch: 14, merge: 4, names: [3]string{"target_sizes"}},

	"phi-3.5-vision":   {prepare: (*job).phi3, filter: bilinear, mean: clipMean, std: clipStd, arithmetic: divided, own: true, tile: 336, tiles: 16},
	"phi-4-multimodal": {prepare: (*job).phi4, filter: bilinear, mean: half, std: half, only: Torchvision, tile: 448, patch: 14},

	"deepseek-ocr-tiny":  {prepare: (*job).deepseek, filter: bicubic, mean: half, std: half, arithmetic: divided, own: true, whole: 512, stretch: true, names: deepseekNames},
	"deepseek-ocr-small": {prepare: (*job).deepseek, filter: bicubic, mean: half, std: half, arithmetic: divided, own: true, whole: 640, stretch: true, names: deepseekNames},
	"deepseek-ocr-base":  {prepare: (*job).deepseek, filter: bicubic, mean: half, std: half, arithmetic: divided, own: true, whole: 1024, names: deepseekNames},
	"deepseek-ocr-large": {prepare: (*job).deepseek, filter: bicubic, mean: half, std: half, arithmetic: divided, own: true, whole: 1280, names: deepseekNames},
	"deepseek-ocr":       {prepare: (*job).deepseek, filter: bicubic, mean: half, std: half, arithmetic: divided, own: true, tile: 640, whole: 1024, names: deepseekNames},
	"deepseek-ocr-2":     {prepare: (*job).deepseek, filter: bicubic, mean: half, std: half, tile: 768, whole: 1024, names: [3]string{"pixel_values", "pixel_values_local", "num_local_patches"}},
}

var deepseekNames = [3]string{"images_ori", "images_crop", "images_spatial_crop"}
