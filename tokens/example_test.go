package tokens_test

import (
	"errors"
	"fmt"

	"github.com/burin-codec/burin/tokens"
)

func Example() {
	// What a screenshot costs on each of the models that a gateway routes to.
	for _, model := range []string{"gpt-4o", "claude", "qwen2.5-vl", "internvl3", "gemini-2"} {
		r, err := tokens.Plan(model, 1920, 1080, nil)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%-10s %4d tokens, %s\n", model, r.Tokens, r.Confidence)
	}
	// Output:
	// gpt-4o     1105 tokens, vendor-doc
	// claude     2691 tokens, vendor-doc
	// qwen2.5-vl 2691 tokens, exact
	// internvl3  2306 tokens, exact
	// gemini-2   1548 tokens, approximate
}

// A service looks the model up once and keeps a request within its budget.
func ExampleModel_Fit() {
	model, err := tokens.Lookup("Qwen/Qwen2.5-VL-7B-Instruct")
	if err != nil {
		panic(err)
	}
	f, err := model.Fit(1000, 4032, 3024, nil)
	if errors.Is(err, tokens.ErrBudget) {
		fmt.Println("reject the picture:", err)
		return
	}
	fmt.Printf("scale to %d x %d for %d tokens; %.0f %% of the pixels are seen\n", f.Width, f.Height, f.Plan.Tokens, 100*f.Detail)
	// Output: scale to 1025 x 769 for 999 tokens; 6 % of the pixels are seen
}

// A layout of tiles that the aspect ratio asks for may be dearer than the same picture
// with padding around it.
func ExampleFit() {
	f, _ := tokens.Fit("internvl3", 800, 640, 480, nil)
	fmt.Printf("%d x %d on a canvas of %d x %d: %d tokens\n", f.Width, f.Height, f.CanvasWidth, f.CanvasHeight, f.Plan.Tokens)
	whole, _ := tokens.Plan("internvl3", 640, 480, nil)
	fmt.Println("as it is:", whole.Tokens)
	// Output:
	// 597 x 448 on a canvas of 896 x 448: 770 tokens
	// as it is: 3330
}

func ExamplePlanVideo() {
	// A minute of video, sampled at the rate that each model is released with.
	for _, model := range []string{"qwen3-vl", "gemini-3"} {
		r, err := tokens.PlanVideo(model, tokens.Clip{Width: 1280, Height: 720, Seconds: 60}, nil)
		fmt.Println(r.Model, r.Frames, "frames", r.Tokens, "tokens", err)
	}
	// Output:
	// qwen3-vl 120 frames 11400 tokens <nil>
	// gemini-3 60 frames 4200 tokens <nil>
}

func ExamplePlanPages() {
	total, pages, err := tokens.PlanPages("deepseek-ocr", []tokens.Size{{1240, 1754}, {1240, 1754}, {600, 600}}, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(len(pages), "pages,", total.Tokens, "tokens")
	// Output: 3 pages, 2079 tokens
}
