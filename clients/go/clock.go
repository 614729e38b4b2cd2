package muster

import (
	"sync"
	"time"
)

// nodeClock is the node's time. The terminal's own clock may be wrong, so only differences of one that is never set are used.
type nodeClock struct {
	mu   sync.Mutex
	told time.Time
	// at has a monotonic reading. It is zero before a node told its time.
	at time.Time
}

// set takes the time of a welcome that was just read.
func (c *nodeClock) set(told time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told, c.at = told, time.Now()
}

// now returns the node's time, or this machine's before a node told its own.
func (c *nodeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		return time.Now()
	}
	return c.told.Add(time.Since(c.at))
}

// isPast says whether this time has come by the node's clock. No time has come before a node told its own.
func (c *nodeClock) isPast(when time.Time) bool {
	c.mu.Lock()
	isKnown := !c.at.IsZero()
	c.mu.Unlock()
	return isKnown && !c.now().Before(when)
}
