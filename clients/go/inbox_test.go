package muster

import (
	"testing"
	"time"
)

func TestACommandThatComesAgainJustAsItIsHandedOverRunsOnce(t *testing.T) {
	memory := reopen(t, "", 10)
	repeated := make(chan Report, 2)
	inbox := &inbox{
		memory:  memory,
		outbox:  newOutbox(memory, nil),
		clock:   &nodeClock{},
		report:  func(report Report) { repeated <- report },
		cursors: cursorTrail{moved: memory.setCursor},
		waiting: map[string]bool{},
		ready:   make(chan *waitingCommand, commandsMax),
	}
	id, expires := commandID(1), time.Now().Add(time.Hour)
	frame := &nodeFrame{ID: &id, ExpiresAt: &expires, Cursor: "c1"}
	inbox.receive(frame)
	worker := <-inbox.ready

	inbox.mu.Lock()
	received := make(chan bool)
	go func() { received <- inbox.receive(frame) }()
	// Without the lock, the second call would look at the memory here.
	time.Sleep(20 * time.Millisecond)
	memory.add(id)
	inbox.mu.Unlock()
	inbox.taken(worker)
	if !<-received || len(inbox.ready) != 0 {
		t.Error("the command is handed over again")
	}
	if inbox.receive(frame); len(repeated) == 0 || len(inbox.ready) != 0 {
		t.Error("a command that was handed over is not taken for repeated")
	}
}
