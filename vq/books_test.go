package vq

import "testing"

// TestOrder holds the families to the order that the literature has them in, on
// photographs that were not trained on, at 2 bytes for patches of 4 x 4.
func TestOrder(t *testing.T) {
	const d, m, k = 16, 4, 64
	train, test := patches(t, "photos", 4, 6000, 1), patches(t, "photos", 4, 2000, 2)
	mse := func(q Quantiser, err error) float64 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return MSE(q, test)
	}
	pq := mse(TrainPQ(train, d, m, k, nil))
	opq := mse(TrainOPQ(train, d, m, k, nil))
	rq, err := TrainRQ(train, d, m, k, nil)
	beam5 := mse(rq, err)
	beam1 := mse(rq.WithBeam(1))
	lsq := mse(TrainLSQ(train, d, m, k, nil))
	t.Logf("PQ %.3e, OPQ %.3e, RQ of beam 1 %.3e, of beam 5 %.3e, LSQ %.3e", pq, opq, beam1, beam5, lsq)
	for _, c := range []struct {
		name          string
		better, worse float64
	}{{"OPQ, PQ", opq, pq}, {"RQ of beam 5, PQ", beam5, pq}, {"RQ of beam 5, of beam 1", beam5, beam1}, {"LSQ, RQ", lsq, beam5}} {
		if !(c.better < c.worse) {
			t.Errorf("%s: %v, %v", c.name, c.better, c.worse)
		}
	}
}
