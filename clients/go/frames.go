package muster

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"
)

// Welcome is the first frame of a node.
type Welcome struct {
	Session string
	Node    string
	// Time is the node's.
	Time time.Time
	// Ping is the interval of the node's pings.
	Ping time.Duration
	// MaxMessage is the largest message that the node takes, in bytes.
	MaxMessage int
	// Resumed says whether everything that was missed follows.
	Resumed bool
	// Cursor is empty while the node's store is not available.
	Cursor string
}

// nodeFrame has the fields of all frames of a node.
type nodeFrame struct {
	Type string `json:"type"`

	Session    *string    `json:"session"`
	Node       *string    `json:"node"`
	Time       *time.Time `json:"time"`
	PingMs     *uint64    `json:"ping_ms"`
	MaxMessage *uint64    `json:"max_message"`
	Resumed    *bool      `json:"resumed"`
	Cursor     string     `json:"cursor"`

	ID        *string    `json:"id"`
	Name      *string    `json:"name"`
	ExpiresAt *time.Time `json:"expires_at"`
	StaggerMs uint64     `json:"stagger_ms"`
	payloadFields

	From    *string `json:"from"`
	To      *string `json:"to"`
	Reason  *string `json:"reason"`
	RetryMs *uint64 `json:"retry_ms"`
	Code    *string `json:"code"`
	Message *string `json:"message"`

	// payload is that of a command.
	payload Payload
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// decode reads a text message of a node. It fails for what is to be ignored: a frame of an unknown type, or one that can't be read.
func decode(text []byte) (*nodeFrame, error) {
	frame := &nodeFrame{}
	if err := json.Unmarshal(text, frame); err != nil {
		return nil, err
	}
	isWhole := false
	switch frame.Type {
	case "welcome":
		isWhole = frame.Session != nil && frame.Node != nil && frame.Time != nil && frame.PingMs != nil && frame.Resumed != nil
	case "command":
		isWhole = frame.readCommand()
	case "ack":
		isWhole = frame.ID != nil
	case "gap":
		isWhole = frame.From != nil && frame.To != nil && frame.Reason != nil
	case "goodbye":
		isWhole = frame.Reason != nil
	case "error":
		isWhole = frame.Code != nil && frame.Message != nil
	}
	if !isWhole {
		return nil, errors.New("the frame is of an unknown type, or lacks a field")
	}
	return frame, nil
}

func (f *nodeFrame) readCommand() bool {
	if f.ID == nil || f.Name == nil || f.ExpiresAt == nil {
		return false
	}
	id := strings.ToLower(*f.ID)
	f.ID = &id
	payload, err := f.value()
	f.payload = payload
	return err == nil && uuid.MatchString(id)
}

func (f *nodeFrame) welcome() Welcome {
	limit := uint64(defaultMaxMessage)
	if f.MaxMessage != nil {
		limit = *f.MaxMessage
	}
	return Welcome{
		Session:    *f.Session,
		Node:       *f.Node,
		Time:       *f.Time,
		Ping:       milliseconds(*f.PingMs),
		MaxMessage: int(min(limit, messageMax)),
		Resumed:    *f.Resumed,
		Cursor:     f.Cursor,
	}
}

// milliseconds makes a time of what a node says, at most a year.
func milliseconds(count uint64) time.Duration {
	const year = 365 * 24 * time.Hour
	return time.Duration(min(count, uint64(year/time.Millisecond))) * time.Millisecond
}

// The frames of a terminal.
type (
	helloFrame struct {
		Type   string            `json:"type"`
		SDK    string            `json:"sdk"`
		Labels map[string]string `json:"labels,omitempty"`
		Resume string            `json:"resume,omitempty"`
		Will   json.RawMessage   `json:"will,omitempty"`
	}
	// replyFrame is an ack, a progress or an event.
	replyFrame struct {
		Type string `json:"type"`
		ID   string `json:"id,omitempty"`
		Name string `json:"name,omitempty"`
		payloadFields
	}
	resultFrame struct {
		Type   string `json:"type"`
		ID     string `json:"id"`
		OK     bool   `json:"ok"`
		Reason string `json:"reason,omitempty"`
		payloadFields
	}
	healthFrame struct {
		Type      string             `json:"type"`
		Condition Condition          `json:"condition"`
		Metrics   map[string]float64 `json:"metrics,omitempty"`
	}
	tokenFrame struct {
		Type  string `json:"type"`
		Token string `json:"token"`
	}
)

// encode makes the text of a frame. It fails for numbers that JSON does not have, such as NaN.
func encode(frame any) (string, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(frame)
	return strings.TrimSuffix(text.String(), "\n"), err
}
