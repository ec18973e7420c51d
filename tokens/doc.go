// Package tokens tells how many visual tokens a vision-language model makes of a
// picture, a video or a document, before anything is sent to it.
//
// A service pays for visual tokens and has to fit them into a context. How many there
// are depends on the width and height alone, by a rule that each family of models has
// of its own: patches of a resized picture, tiles beside a thumbnail, slices, a fixed
// number. The rules are in this package as code, one file a kind, and what tells the
// models apart (limits, tile sizes, token counts, names, dates and sources) is data, in
// models.json.
//
//	r, err := tokens.Plan("qwen2.5-vl", 1920, 1080, nil)
//	...
//	fmt.Println(r.Tokens, r.Confidence) // 2691 exact
//
// # Which one do I call?
//
// Plan counts the tokens of a picture. PlanVideo and PlanPages do so for a video and
// for the pages of a document. Fit finds the size at which a picture has to be sent so
// that its tokens stay within a budget. A service that plans for one model again and
// again calls Lookup once and then the methods of the Model; that saves the name from
// being looked up, and Model.Plan does not allocate.
//
// # What is counted
//
// Tokens is what the processor released with the model counts: the placeholders that it
// puts into the prompt for one picture, with the separators among them, such as the ends
// of rows. Tokens that stand around them and that the processor does not count, because
// the chat template or the text around the picture brings them, are in Wrap; text tokens
// such as the time stamps of video frames depend on the tokeniser and are not counted.
// For hosted models Tokens is what is billed.
//
// # How sure is it?
//
// Confidence says where a count comes from, and Source names it. Exact means that the
// counts were compared with those of the processor's own code on the sizes in testdata,
// without a difference. The rules of hosted models cannot be checked that way: they are
// what the vendor documents, or what others measured, or, where the documents contradict
// each other, an approximation, for which Low and High bound what is known.
//
// # Sizes
//
// Sizes are in pixels after the orientation in the EXIF data has been applied: the
// processors turn a picture upright before they look at its size if they load it
// themselves. Sides are between 1 and MaxSide.
//
// The table of models has a date, TableVersion, because vendors change their rules.
package tokens
