package nn

import (
	"fmt"
	"math"
)

// CrossEntropy returns the sum over rows of -log softmax(y)[label], y being logits
// [rows][classes], and sets dy, of the same shape, to its gradient with respect to y
// times weight. The targets have 1-smoothing for the label and share smoothing evenly
// among all classes (Szegedy et al., "Rethinking the Inception Architecture", 2016),
// smoothing being in 0..1. dy may be y. It panics if a label is not below classes.
func CrossEntropy(dy, y []float32, labels []uint8, classes int, smoothing, weight float64) float64 {
	rows := len(labels)
	needRows("logits", y, rows, classes)
	needRows("gradient of logits", dy, rows, classes)
	var loss float64
	off := smoothing / float64(classes)
	for i, label := range labels {
		if int(label) >= classes {
			panic(fmt.Sprintf("nn: CrossEntropy: label %d of %d classes", label, classes))
		}
		row, d := y[i*classes:(i+1)*classes], dy[i*classes:(i+1)*classes]
		top := row[0]
		for _, v := range row {
			top = max(top, v)
		}
		var sum, mean float64
		for _, v := range row {
			sum += math.Exp(float64(v - top))
			mean += float64(v - top)
		}
		log := math.Log(sum)
		loss += log - (1-smoothing)*float64(row[label]-top) - off*mean
		for j, v := range row {
			p := math.Exp(float64(v-top)-log) - off
			if j == int(label) {
				p -= 1 - smoothing
			}
			d[j] = float32(weight * p)
		}
	}
	return loss
}
