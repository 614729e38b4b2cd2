package muster

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// EndKind says how a connection, or an attempt to make one, ended.
type EndKind int

const (
	// Lost: the connection could not be made, broke, or carried something that is not the protocol.
	Lost EndKind = iota
	// Closed: the node closed the session.
	Closed
	// Refused: the node, or a proxy before it, refused the handshake.
	Refused
	// Silent: nothing came from the node for three of its ping intervals.
	Silent
	// NoWelcome: no welcome came before the deadline.
	NoWelcome
	// NoToken: the token source has not given a token yet. No attempt was made.
	NoToken
	// Left: the program ended the terminal.
	Left
)

// End is how a connection, or an attempt to make one, ended.
type End struct {
	Kind EndKind
	// Code is the close code, 1005 if the close had none. 0 unless Kind is Closed.
	Code int
	// Status is that of the answer to the handshake. 0 unless Kind is Refused.
	Status int
	// Reason is the reason of the close, or what went wrong.
	Reason string
	// Hint is how long the node asks the terminal to wait, if HasHint.
	Hint    time.Duration
	HasHint bool
	// WasOpen says whether a session had begun.
	WasOpen bool
}

// Error says how the connection ended, for people.
func (e *End) Error() string {
	switch e.Kind {
	case Closed:
		return fmt.Sprintf("closed by the node with %d %q", e.Code, e.Reason)
	case Refused:
		return fmt.Sprintf("refused with HTTP status %d", e.Status)
	case Silent:
		return "nothing came from the node for three of its ping intervals"
	case NoWelcome:
		return "no welcome before the deadline"
	case NoToken:
		return "no token: " + e.Reason
	case Left:
		return "left"
	default:
		return "lost: " + e.Reason
	}
}

// closed is the end that a close frame makes.
func closed(code int, reason string) *End {
	end := &End{Kind: Closed, Code: code, Reason: reason}
	var hint struct {
		RetryMs *uint64 `json:"retry_ms"`
	}
	if json.Unmarshal([]byte(reason), &hint) == nil && hint.RetryMs != nil {
		end.setHint(*hint.RetryMs, time.Millisecond)
	}
	return end
}

// refused is the end that an answer other than 101 makes. The other form of Retry-After, a date, is ignored: it would need the node's clock.
func refused(status int, retryAfter string) *End {
	end := &End{Kind: Refused, Status: status}
	if seconds, err := strconv.ParseUint(strings.TrimSpace(retryAfter), 10, 64); err == nil {
		end.setHint(seconds, time.Second)
	}
	return end
}

func lost(cause string) *End {
	return &End{Kind: Lost, Reason: cause}
}

// setHint takes a time of a node. One that a Duration can't hold is as good as a year.
func (e *End) setHint(count uint64, unit time.Duration) {
	const year = 365 * 24 * time.Hour
	e.Hint, e.HasHint = time.Duration(min(count, uint64(year/unit)))*unit, true
}

// isFinal says whether the same attempt would end in the same way, so that the terminal does not come back by itself.
func (e *End) isFinal() bool {
	switch e.Kind {
	case Left:
		return true
	case Refused:
		return e.Status == 400 || e.Status == 403 || e.Status == 404
	default:
		return e.Code >= 4500 && e.Code <= 4999
	}
}

// needsToken says whether the token was refused or has expired. The terminal comes back with another one, or else slowly.
func (e *End) needsToken() bool {
	return e.Status == 401 || e.Code == 4004
}
