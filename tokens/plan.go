package tokens

// Plan returns what a model makes of a picture of w x h pixels. nil options are those that
// the model is released with. The errors wrap ErrModel, ErrSize, ErrOption or ErrRefused.
func Plan(model string, w, h int, o *Options) (Result, error) {
	m, err := Lookup(model)
	if err != nil {
		return Result{}, err
	}
	return m.Plan(w, h, o)
}

// Plan returns what the model makes of a picture of w x h pixels. It does not allocate,
// unless it fails.
func (m *Model) Plan(w, h int, o *Options) (Result, error) {
	var options Options
	if o != nil {
		options = *o
	}
	if err := checkSize(w, h); err != nil {
		return Result{}, err
	}
	if err := options.validate(m); err != nil {
		return Result{}, err
	}
	r, err := m.rule.plan(w, h, options, m.result(w, h))
	if err != nil {
		return Result{}, err
	}
	return r, nil
}

// result returns a Result with nothing counted.
func (m *Model) result(w, h int) Result {
	return Result{Model: m.Name, Width: w, Height: h, Confidence: m.Confidence, Source: m.Source}
}
