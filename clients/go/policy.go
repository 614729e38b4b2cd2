package muster

import (
	"math/rand/v2"
	"time"
)

// Policy holds the times of reconnecting. A zero is replaced by the default.
type Policy struct {
	// First is the range of the first delay; 5 s. It doubles with each failure.
	First time.Duration
	// Cap is the widest range; 30 s. About so often the token source is asked for another token after one was refused.
	Cap time.Duration
	// Stable is how long a session must last for the range to begin anew; 60 s.
	Stable time.Duration
	// Slow is the longest time between two attempts with a token that was refused or has expired; 5 min. The shortest is half of it.
	Slow time.Duration
	// HintCap is what a longer hint of a node counts as; 10 min.
	HintCap time.Duration
}

func (p Policy) withDefaults() Policy {
	or := func(set, otherwise time.Duration) time.Duration {
		if set > 0 {
			return set
		}
		return otherwise
	}
	return Policy{
		First:   or(p.First, 5*time.Second),
		Cap:     or(p.Cap, 30*time.Second),
		Stable:  or(p.Stable, time.Minute),
		Slow:    or(p.Slow, 5*time.Minute),
		HintCap: or(p.HintCap, 10*time.Minute),
	}
}

// backoff draws the delays of one terminal. It has no clock.
type backoff struct {
	policy   Policy
	failures int
	// random is from 0 to 1.
	random func() float64
}

func newBackoff(policy Policy) *backoff {
	return &backoff{policy: policy.withDefaults(), random: rand.Float64}
}

// after returns the delay after a session that lasted so long, or 0 if none was opened. False means to stay away.
func (b *backoff) after(end *End, lasted time.Duration) (time.Duration, bool) {
	if lasted >= b.policy.Stable {
		b.failures = 0
	}
	switch {
	case end.isFinal():
		return 0, false
	case end.HasHint:
		hint := min(end.Hint, b.policy.HintCap)
		return hint + b.uniform(hint/10), true
	default:
		return b.jitter(), true
	}
}

// slowly returns the delay before an attempt with a token that was refused or has expired.
func (b *backoff) slowly() time.Duration {
	half := b.policy.Slow / 2
	return half + b.uniform(half)
}

// beforeAsking returns the delay before the token source is asked again. It doubles with each token in a row that was refused.
func (b *backoff) beforeAsking(refusals int) time.Duration {
	half := min(b.policy.Cap<<min(max(refusals-1, 0), 16), b.policy.Slow) / 2
	return half + b.uniform(half)
}

// jitter is full jitter: between 0 and a range that doubles with each failure.
func (b *backoff) jitter() time.Duration {
	delay := min(b.policy.First<<b.failures, b.policy.Cap)
	b.failures = min(b.failures+1, 16)
	return b.uniform(delay)
}

func (b *backoff) uniform(upTo time.Duration) time.Duration {
	return time.Duration(float64(upTo) * b.random())
}
