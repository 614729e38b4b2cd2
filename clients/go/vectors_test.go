package muster

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// readVectors reads a file of test vectors that all clients share.
func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile("../../protocol/vectors/" + name + ".json")
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestFramesOfANodeAreReadAndOthersIgnored(t *testing.T) {
	var frames struct {
		Valid, Invalid []struct{ From, Text string }
	}
	readVectors(t, "frames", &frames)
	for _, vector := range frames.Valid {
		if vector.From != "node" {
			continue
		}
		if frame, err := decode([]byte(vector.Text)); err != nil || !strings.Contains(vector.Text, `"`+frame.Type+`"`) {
			t.Errorf("%s: %v", vector.Text, err)
		}
	}
	for _, vector := range frames.Invalid {
		if vector.From != "node" {
			continue
		}
		if frame, err := decode([]byte(vector.Text)); err == nil {
			t.Errorf("%s was read as %+v", vector.Text, frame)
		}
	}
}

func TestAPayloadOfBytesIsBytesAndOneOfJSONKeepsItsText(t *testing.T) {
	const begin = `{"type":"command","id":"0190163D-8694-739b-aea5-966c26f8ad91","name":"show","expires_at":"2030-01-01T00:01:00Z",`
	for field, want := range map[string]Payload{
		`"payload_base64":"AP8="`:              {Bytes: []byte{0, 255}},
		`"payload_base64":""`:                  {Bytes: []byte{}},
		`"payload":{"z":1.50,"a":1e400}`:       {JSON: []byte(`{"z":1.50,"a":1e400}`)},
		`"payload":null,"payload_base64":null`: {JSON: []byte("null")},
	} {
		frame, err := decode([]byte(begin + field + "}"))
		if err != nil {
			t.Fatal(field, err)
		}
		if got := frame.payload; string(got.JSON) != string(want.JSON) || string(got.Bytes) != string(want.Bytes) || (got.Bytes == nil) != (want.Bytes == nil) {
			t.Errorf("%s: %+v", field, got)
		}
		if *frame.ID != "0190163d-8694-739b-aea5-966c26f8ad91" {
			t.Error(*frame.ID)
		}
	}
	for _, field := range []string{`"payload":1,"payload_base64":"AP8="`, `"payload_base64":"?"`} {
		if _, err := decode([]byte(begin + field + "}")); err == nil {
			t.Error(field)
		}
	}
}

func TestACloseCodeSaysWhatToDoAndItsReasonWhen(t *testing.T) {
	var vectors struct {
		Closes []struct {
			Code    int
			Reason  string
			RetryMs *int64 `json:"retry_ms"`
			Advice  string
		}
	}
	readVectors(t, "close", &vectors)
	for _, vector := range vectors.Closes {
		end := closed(vector.Code, vector.Reason)
		if end.isFinal() != (vector.Advice == "stay_away") {
			t.Errorf("%d: final %t", vector.Code, end.isFinal())
		}
		if end.HasHint != (vector.RetryMs != nil) || (end.HasHint && end.Hint != time.Duration(*vector.RetryMs)*time.Millisecond) {
			t.Errorf("%d: hint %v", vector.Code, end.Hint)
		}
	}
}

func TestAnIDAndAURLAreCheckedAndNotRepeated(t *testing.T) {
	var ids struct {
		Terminal struct{ Valid, Invalid []string } `json:"terminal_id"`
	}
	readVectors(t, "ids", &ids)
	for _, id := range ids.Terminal.Invalid {
		if _, err := endpoints([]string{"ws://h/ws"}, id); err == nil {
			t.Errorf("%q was taken", id)
		}
	}
	for _, id := range ids.Terminal.Valid {
		if _, err := endpoints([]string{"ws://h/ws"}, id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	if urls, err := endpoints([]string{"wss://h/ws?site=bj#x"}, "t1"); err != nil || urls[0] != "wss://h/ws?site=bj&terminal_id=t1" {
		t.Error(urls, err)
	}
	for _, url := range []string{"http://h/ws", "h", "", "ws://u:secret@h/"} {
		if _, err := endpoints([]string{url}, "t1"); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
