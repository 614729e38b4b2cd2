package muster

import (
	"fmt"
	"sync"
)

const (
	// waitingMax is how many messages wait for a session; results apart, which are remembered.
	waitingMax = 256
	// unsentMax is how many bytes wait in a session. A node that leaves more unread does not read.
	unsentMax = 4 << 20
)

// outbox has the messages to the node. The session's writer takes them one by one; without a session they wait for the next one.
type outbox struct {
	memory *memory
	report func(Report)
	// wake tells the writer that there is something to send.
	wake chan struct{}

	mu    sync.Mutex
	limit int
	// isOpen says whether there is a session.
	isOpen bool
	queue  []message
	// unsent is how many bytes are in the queue.
	unsent int
}

// message is a frame that waits.
type message struct {
	text string
	// key is the same in messages of which only the last is of use. It is the command's id in a progress.
	key string
	// isOfSession says whether the message is of no use in the next session.
	isOfSession bool
}

func newOutbox(memory *memory, report func(Report)) *outbox {
	return &outbox{memory: memory, report: report, wake: make(chan struct{}, 1), limit: defaultMaxMessage}
}

// open begins a session: the last results go first, since some may have been lost with the last one; then what waits.
func (o *outbox) open(limit int) {
	o.mu.Lock()
	o.limit, o.isOpen = limit, true
	waiting := o.queue
	o.queue, o.unsent = nil, 0
	var notSent []Report
	for _, result := range o.memory.lastResults() {
		frame, err := fitting(result.id, result.frame, limit)
		notSent = append(notSent, told(err)...)
		o.push(message{text: frame, isOfSession: true})
	}
	for _, message := range waiting {
		if message.key != "" && o.memory.result(message.key) != "" {
			// The progress of a command that has ended.
			continue
		}
		if err := tooLarge(message.text, limit); err != nil {
			notSent = append(notSent, told(err)...)
		} else {
			o.push(message)
		}
	}
	o.mu.Unlock()
	for _, report := range notSent {
		o.report(report)
	}
}

// close ends the session. What the next one needs goes on to wait.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.isOpen, o.unsent = false, 0
	o.keep(func(message message) bool { return !message.isOfSession })
	if excess := len(o.queue) - waitingMax; excess > 0 {
		o.queue = o.queue[excess:]
	}
}

// next takes the first message. False if there is none.
func (o *outbox) next() (string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return "", false
	}
	first := o.queue[0]
	o.queue, o.unsent = o.queue[1:], o.unsent-len(first.text)
	return first.text, true
}

// isStuck says whether the node does not read what it is sent.
func (o *outbox) isStuck() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.isOpen && o.unsent > unsentMax
}

// acknowledge tells the node that the program has the command. Without a session the node sends the command again.
func (o *outbox) acknowledge(id string) {
	if frame, err := encode(replyFrame{Type: "ack", ID: id}); err == nil {
		o.sendNow(frame)
	}
}

// sendNow sends what is of use in this session alone.
func (o *outbox) sendNow(frame string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.isOpen {
		o.push(message{text: frame, isOfSession: true})
	}
}

// result sends a result, and remembers it for the next session.
func (o *outbox) result(id, frame string) {
	o.mu.Lock()
	frame, err := fitting(id, frame, o.limit)
	if o.memory.result(id) != frame {
		o.memory.setResult(id, frame)
	}
	if o.isOpen {
		o.push(message{text: frame, isOfSession: true})
	}
	o.mu.Unlock()
	for _, report := range told(err) {
		o.report(report)
	}
}

// send sends a message, or keeps it for the next session. Of those with the same key, which is empty for none, only the last waits.
func (o *outbox) send(frame, key string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := tooLarge(frame, o.limit); err != nil {
		return err
	}
	if key != "" {
		o.keep(func(message message) bool { return message.key != key })
	}
	if !o.isOpen && len(o.queue) >= waitingMax {
		return fmt.Errorf("%d messages wait for a session: send fewer", waitingMax)
	}
	o.push(message{text: frame, key: key})
	return nil
}

func (o *outbox) push(message message) {
	o.queue, o.unsent = append(o.queue, message), o.unsent+len(message.text)
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) keep(isKept func(message) bool) {
	kept := o.queue[:0]
	o.unsent = 0
	for _, message := range o.queue {
		if isKept(message) {
			kept, o.unsent = append(kept, message), o.unsent+len(message.text)
		}
	}
	o.queue = kept
}

// fitting returns the result, or what is sent in place of one that is over the limit, so that the command ends.
func fitting(id, frame string, limit int) (string, *TooLargeError) {
	err := tooLarge(frame, limit)
	if err == nil {
		return frame, nil
	}
	err.What = "the result of " + id
	payload, _ := payloadOf(map[string]any{"error": "too_large", "bytes": err.Bytes, "limit": limit})
	explained, _ := encode(resultFrame{Type: "result", ID: id, payloadFields: payload.fields()})
	if len(explained) > limit {
		explained, _ = encode(resultFrame{Type: "result", ID: id, payloadFields: Payload{}.fields()})
	}
	return explained, err
}

func tooLarge(frame string, limit int) *TooLargeError {
	if len(frame) <= limit {
		return nil
	}
	return &TooLargeError{What: "the message", Bytes: len(frame), Limit: limit}
}

func told(err *TooLargeError) []Report {
	if err == nil {
		return nil
	}
	return []Report{NotSent{err}}
}
