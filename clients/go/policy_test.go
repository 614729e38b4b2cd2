package muster

import (
	"slices"
	"strconv"
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

// delayVector is one of policy.json.
type delayVector struct {
	End struct {
		Close, Status int
		Reason        string
		RetryAfter    *int `json:"retry_after_s"`
	}
	Failures   int
	Lasted     int64   `json:"lasted_ms"`
	Delay      []int64 `json:"delay_ms"`
	OtherToken bool    `json:"other_token"`
	Means      string
}

func (v delayVector) end() *End {
	switch {
	case v.End.Close != 0:
		return closed(v.End.Close, v.End.Reason)
	case v.End.RetryAfter != nil:
		return refused(v.End.Status, strconv.Itoa(*v.End.RetryAfter))
	case v.End.Status != 0:
		return refused(v.End.Status, "")
	default:
		return lost("reset")
	}
}

func (v delayVector) delay(backoff *backoff) []int64 {
	for range v.Failures {
		backoff.after(lost("reset"), 0)
	}
	delay, isBack := backoff.after(v.end(), time.Duration(v.Lasted)*time.Millisecond)
	if !isBack {
		return nil
	}
	if v.end().needsToken() && !v.OtherToken {
		delay = backoff.slowly()
	}
	return []int64{delay.Milliseconds()}
}

func TestTheDelaysAreThoseOfTheVectorsAtBothEnds(t *testing.T) {
	var vectors struct{ Delays []delayVector }
	readVectors(t, "policy", &vectors)
	for _, vector := range vectors.Delays {
		if got := append(vector.delay(least()), vector.delay(most())...); !slices.Equal(got, vector.Delay) {
			t.Errorf("%s: %v", vector.Means, got)
		}
	}
}

func TestAHintThatIsADateOrMoreThanATimeCanHold(t *testing.T) {
	if end := refused(503, "Wed, 21 Oct 2015 07:28:00 GMT"); end.HasHint {
		t.Error(end.Hint)
	}
	if delay, isBack := most().after(closed(1012, `{"retry_ms":18446744073709551615}`), 0); !isBack || delay != 11*time.Minute {
		t.Error(delay)
	}
}

func TestASourceWhoseTokensAreRefusedIsAskedLessAndLessOften(t *testing.T) {
	for refusals, want := range map[int]time.Duration{1: 30 * time.Second, 2: time.Minute, 99: 5 * time.Minute} {
		if wait := most().beforeAsking(refusals); wait != want {
			t.Errorf("%d: %v", refusals, wait)
		}
	}
}
