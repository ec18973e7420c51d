package lossless

// mixConfigs are the efforts of the mixing families. They are part of the bit
// stream: a change needs a new version.
var mixConfigs = [10]mixConfig{
	4: {
		wls: []wlsConfig{{near: 8, ref0: 4, ref1: 3, lambda: .9, rho: .85, every: 8}},
		contexts: []contextID{
			ctxDist0, ctxDistFixed, ctxDistBlend, ctxRefResidual,
			ctxNear, ctxCorner, ctxCentre, ctxRef0, ctxColourNear, ctxPatch,
		},
		sets:     []setID{setScale},
		hashBits: 11,
	},
	5: {
		wls: []wlsConfig{{near: 12, ref0: 6, ref1: 5, lambda: .9, rho: .85, every: 4}},
		contexts: []contextID{
			ctxDist0, ctxDistFixed, ctxDistBlend, ctxWide, ctxRefEnergy, ctxRefResidual,
			ctxTexture, ctxNear, ctxCorner, ctxRefShift0,
			ctxCentre, ctxRef0, ctxRef1, ctxColourNear, ctxPatch,
		},
		sets:     []setID{setScale, setRefResidual},
		hashBits: 12,
	},
	6: {
		wls: []wlsConfig{
			{near: 14, ref0: 8, ref1: 7, lambda: .94, rho: .9, every: 2},
			{near: 7, ref0: 4, ref1: 3, lambda: .82, rho: .78, every: 2},
		},
		contexts: []contextID{
			ctxDist0, ctxDist1, ctxDistFixed, ctxDistBlend, ctxWide, ctxRefEnergy, ctxRefResidual,
			ctxTexture, ctxNear, ctxCorner, ctxFour, ctxRefShift0, ctxRefShift1,
			ctxCentre, ctxRef0, ctxRef1, ctxColour, ctxColourNear, ctxPatch,
		},
		sets:     []setID{setScale, setRefResidual, setTexture},
		hashBits: 14,
	},
	7: {
		wls:      maxPredictors(2),
		contexts: maxContexts,
		sets:     []setID{setScale, setRefResidual, setTexture},
		hashBits: 16,
	},
	8: {
		wls:        maxPredictors(2),
		stack:      &stackConfig{lambda: .98, rho: .97, every: 2},
		contexts:   maxContexts,
		sets:       []setID{setScale, setRefResidual, setDisagreement, setTexture},
		hashBits:   17,
		confidence: true,
	},
	9: {
		wls:        maxPredictors(1),
		stack:      &stackConfig{lambda: .98, rho: .97, every: 1},
		contexts:   maxContexts,
		sets:       []setID{setScale, setRefResidual, setDisagreement, setTexture, setNear, setWide},
		hashBits:   18,
		confidence: true,
	},
}

// maxPredictors are the predictors of the max family, with long, middle and
// short memory.
func maxPredictors(every int) []wlsConfig {
	return []wlsConfig{
		{near: 18, ref0: 9, ref1: 9, lambda: .96, rho: .94, every: every},
		{near: 12, ref0: 6, ref1: 5, lambda: .92, rho: .88, every: every},
		{near: 6, ref0: 3, ref1: 3, lambda: .8, rho: .75, every: every},
	}
}

var maxContexts = []contextID{
	ctxDist0, ctxDist1, ctxDist2, ctxDistFixed, ctxDistBlend, ctxFixedPair,
	ctxWide, ctxRefScale, ctxRefEnergy, ctxRefResidual,
	ctxTexture, ctxNear, ctxCorner, ctxFar, ctxFour, ctxRefShift0, ctxRefShift1,
	ctxCentre, ctxRef0, ctxRef1, ctxColour, ctxColourNear,
	ctxPair, ctxPatch, ctxWindow,
}
