package muster

import (
	"slices"
	"testing"
	"time"
)

// most draws the longest delays, and least the shortest.
func most() *backoff {
	backoff := newBackoff(Policy{})
	backoff.random = func() float64 { return 1 }
	return backoff
}

func least() *backoff {
	backoff := newBackoff(Policy{})
	backoff.random = func() float64 { return 0 }
	return backoff
}

func seconds(delay time.Duration, isBack bool) float64 {
	if !isBack {
		return -1
	}
	return delay.Seconds()
}

func TestTheRangeStartsWideDoublesAndIsCapped(t *testing.T) {
	backoff := most()
	var delays []float64
	for range 5 {
		delays = append(delays, seconds(backoff.after(lost("reset"), 0)))
	}
	if !slices.Equal(delays, []float64{5, 10, 20, 30, 30}) {
		t.Error(delays)
	}
	if delay := seconds(least().after(lost("reset"), 0)); delay != 0 {
		t.Error(delay)
	}
}

func TestOnlyAStableSessionBeginsTheRangeAnew(t *testing.T) {
	backoff := most()
	backoff.after(lost("reset"), 0)
	if delay := seconds(backoff.after(lost("reset"), 59*time.Second)); delay != 10 {
		t.Error(delay)
	}
	if delay := seconds(backoff.after(lost("reset"), time.Minute)); delay != 5 {
		t.Error(delay)
	}
}

func TestAHintComesFirstAndIsBoundedAndWhatWouldBeRepeatedIsFinal(t *testing.T) {
	for _, vector := range []struct {
		end  *End
		want float64
	}{
		{closed(1012, `{"retry_ms":1000}`), 1.1},
		{closed(1012, `{"retry_ms":18446744073709551615}`), 660},
		{refused(429, "2"), 2.2},
		{refused(503, "Wed, 21 Oct 2015 07:28:00 GMT"), 5},
		{refused(400, "1"), -1},
		{refused(403, ""), -1},
		{refused(404, ""), -1},
		{closed(4777, `{"retry_ms":1}`), -1},
	} {
		if delay := seconds(most().after(vector.end, 0)); delay != vector.want {
			t.Errorf("%v: %v", vector.end, delay)
		}
	}
}

func TestWithoutAGoodTokenTheAttemptsAreSlow(t *testing.T) {
	if least().slowly() != 150*time.Second || most().slowly() != 300*time.Second {
		t.Error(least().slowly(), most().slowly())
	}
	for refusals, want := range map[int]time.Duration{1: 30 * time.Second, 2: time.Minute, 99: 5 * time.Minute} {
		if wait := most().beforeAsking(refusals); wait != want {
			t.Errorf("%d: %v", refusals, wait)
		}
	}
}
