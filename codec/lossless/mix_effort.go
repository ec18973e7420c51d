package lossless

// mixConfigs are the efforts of the mixing families.
var mixConfigs = [10]mixConfig{
	4: {
		wls:      []wlsConfig{{near: 8, ref0: 4, ref1: 3, lambda: .9, rho: .85, every: 8}},
		contexts: []contextID{ctxDist0, ctxDistBlend, ctxTexture, ctxRefResidual, ctxRef0, ctxColour, ctxPatch},
		sets:     []setID{setScale},
		hashBits: 12,
	},
	5: {
		wls:      []wlsConfig{{near: 12, ref0: 6, ref1: 5, lambda: .9, rho: .85, every: 4}},
		contexts: []contextID{ctxDist0, ctxDistFixed, ctxDistBlend, ctxTexture, ctxWide, ctxRefResidual, ctxRefEnergy, ctxNear, ctxCentre, ctxRef0, ctxRef1, ctxColour, ctxColourNear, ctxPair, ctxPatch},
		sets:     []setID{setScale, setRefResidual},
		hashBits: 12,
	},
	6: {
		wls:      []wlsConfig{{near: 12, ref0: 6, ref1: 5, lambda: .9, rho: .85, every: 4}},
		contexts: []contextID{ctxDist0, ctxDistFixed, ctxDistBlend, ctxTexture, ctxWide, ctxRefResidual, ctxRefEnergy, ctxNear, ctxCentre, ctxRef0, ctxRef1, ctxColour, ctxColourNear, ctxPair, ctxPatch},
		sets:     []setID{setScale, setRefResidual},
		hashBits: 16,
	},
	7: {
		wls:      []wlsConfig{{near: 12, ref0: 6, ref1: 5, lambda: .9, rho: .85, every: 4}},
		contexts: []contextID{ctxDist0, ctxDistFixed, ctxDistBlend, ctxTexture, ctxWide, ctxRefResidual, ctxRefEnergy, ctxNear, ctxCentre, ctxRef0, ctxRef1, ctxColour, ctxColourNear, ctxPair, ctxPatch},
		sets:     []setID{setScale, setRefResidual},
		hashBits: 16,
	},
	8: {
		wls:      []wlsConfig{{near: 12, ref0: 6, ref1: 5, lambda: .9, rho: .85, every: 4}},
		contexts: []contextID{ctxDist0, ctxDistFixed, ctxDistBlend, ctxTexture, ctxWide, ctxRefResidual, ctxRefEnergy, ctxNear, ctxCentre, ctxRef0, ctxRef1, ctxColour, ctxColourNear, ctxPair, ctxPatch},
		sets:     []setID{setScale, setRefResidual},
		hashBits: 16,
	},
	9: {
		wls: []wlsConfig{
			{near: 18, ref0: 9, ref1: 9, lambda: .96, rho: .94, every: 1},
			{near: 12, ref0: 6, ref1: 5, lambda: .92, rho: .88, every: 1},
			{near: 6, ref0: 3, ref1: 3, lambda: .8, rho: .75, every: 1},
		},
		stack: &stackConfig{lambda: .98, rho: .97, every: 1},
		contexts: []contextID{
			ctxDist0, ctxDist1, ctxDist2, ctxDistFixed, ctxDistBlend,
			ctxScalePair, ctxWide, ctxRefScale, ctxRefEnergy,
			ctxTexture, ctxNear, ctxCorner, ctxResidual, ctxRefResidual,
			ctxCentre, ctxCentreN, ctxRef0, ctxRef1, ctxColour, ctxColourNear,
			ctxPair, ctxPatch, ctxWindow,
		},
		sets:     []setID{setScale, setRefResidual, setDisagreement, setTexture},
		hashBits: 18,

		confidence: true,
	},
}
