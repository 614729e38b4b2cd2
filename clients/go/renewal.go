package muster

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// margin is the least time before a token expires at which the source is asked for the next one, if the token lives long enough.
	margin = 5 * time.Second
	// retry is how long to wait before a source is asked again that had no later token. It doubles each time up to retryCap.
	retry    = time.Second
	retryCap = time.Minute
)

// renewal has the token in use. A source that fails or hangs leaves it as it is. Only the goroutine that connects, or serves the session,
// uses it.
type renewal struct {
	source   TokenSource
	deadline time.Duration
	current  string
	// previous is the token before, until the node may no longer refuse the current one.
	previous string
	retries  int
}

func newRenewal(source TokenSource, deadline time.Duration) (*renewal, error) {
	r := &renewal{source: source, deadline: deadline}
	if source.fixed != "" {
		token, err := checkedToken(source.fixed)
		r.current = token
		return r, err
	}
	return r, nil
}

// canChange says whether the source can give another token.
func (r *renewal) canChange() bool { return r.source.fetch != nil }

// isExpired is false for a token that does not say when it expires.
func (r *renewal) isExpired(now time.Time) bool {
	last, says := expiryOf(r.current)
	return says && last < now.Unix()
}

// beforeAttempt asks the source, where that is needed or cheap.
func (r *renewal) beforeAttempt(ctx context.Context, now time.Time) error {
	if !r.canChange() || !(r.source.isFile || r.current == "" || r.isExpired(now)) {
		return nil
	}
	_, err := r.replace(ctx)
	return err
}

// replace asks the source. It returns whether the source has another token, which is then used.
func (r *renewal) replace(ctx context.Context) (bool, error) {
	if !r.canChange() {
		return false, nil
	}
	token, err := r.ask(ctx)
	if err != nil {
		return false, err
	}
	isNew := token != r.current
	r.current, r.previous = token, ""
	return isNew, nil
}

func (r *renewal) ask(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, r.deadline)
	defer cancel()
	return r.source.ask(ctx)
}

// begin starts a session, which a newer token can extend. It returns when to ask the source; false for never.
func (r *renewal) begin(now time.Time) (time.Duration, bool) {
	r.previous, r.retries = "", 0
	last, says := expiryOf(r.current)
	if !says || !r.canChange() {
		return 0, false
	}
	return askAfter(time.Unix(last, 0).Sub(now), rand.Float64()), true
}

// extend takes a token that the source gave during a session. It returns whether the token expires later than the current one, and so is to
// be sent.
func (r *renewal) extend(token string) bool {
	last, _ := expiryOf(r.current)
	later, _ := expiryOf(token)
	if later <= last {
		return false
	}
	r.previous, r.current = r.current, token
	return true
}

// later is called if the node refused the token that was sent last, or the source had none: the one before counts. It returns when to ask
// the source again.
func (r *renewal) later() time.Duration {
	if r.previous != "" {
		r.current, r.previous = r.previous, ""
	}
	wait := min(retry<<min(r.retries, 16), retryCap)
	r.retries++
	return wait/2 + time.Duration(float64(wait/2)*rand.Float64())
}

// askAfter returns how long to wait before the source is asked, if the token is valid for the time left: a random time in the last fifth of
// its life, and earlier if that is short. random is from 0 to 1.
func askAfter(left time.Duration, random float64) time.Duration {
	part := min(max(left/10, margin), left/4)
	return max(left-2*part+time.Duration(float64(part)*random), 0)
}
