package muster

import (
	"encoding/json"
	"errors"
)

// Payload is the arguments of a command, the reply to it or the data of an event: JSON, or bytes.
type Payload struct {
	// JSON is the text as it was written, so that no number loses digits. Nil if the payload is bytes.
	JSON json.RawMessage
	// Bytes is nil if the payload is JSON.
	Bytes []byte
}

// Decode reads a payload of JSON as json.Unmarshal does. It fails if the payload is bytes.
func (p Payload) Decode(value any) error {
	if p.Bytes != nil {
		return errors.New("the payload is bytes and not JSON: use Bytes")
	}
	return json.Unmarshal(p.JSON, value)
}

// payloadOf makes a payload of what a program gives: a Payload, []byte as bytes, or anything that json.Marshal takes.
func payloadOf(value any) (Payload, error) {
	switch value := value.(type) {
	case Payload:
		return value, nil
	case []byte:
		// No bytes are bytes too.
		return Payload{Bytes: append([]byte{}, value...)}, nil
	default:
		text, err := json.Marshal(value)
		return Payload{JSON: text}, err
	}
}

// payloadFields are the fields of a frame that carry a payload, of which a frame has one.
type payloadFields struct {
	Payload json.RawMessage `json:"payload,omitempty"`
	Base64  *[]byte         `json:"payload_base64,omitempty"`
}

func (p Payload) fields() payloadFields {
	switch {
	case p.Bytes != nil:
		return payloadFields{Base64: &p.Bytes}
	case p.JSON == nil:
		return payloadFields{Payload: json.RawMessage("null")}
	default:
		return payloadFields{Payload: p.JSON}
	}
}

// value returns the payload of a frame. JSON null if it has none.
func (f payloadFields) value() (Payload, error) {
	isJSON := len(f.Payload) > 0 && string(f.Payload) != "null"
	switch {
	case f.Base64 == nil && !isJSON:
		return Payload{JSON: json.RawMessage("null")}, nil
	case f.Base64 == nil:
		return Payload{JSON: f.Payload}, nil
	case isJSON:
		return Payload{}, errors.New("a frame has one payload")
	default:
		return Payload{Bytes: append([]byte{}, *f.Base64...)}, nil
	}
}
