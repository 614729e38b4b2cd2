package muster

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// commandsMax is how many commands wait at most, those that wait for their stagger too.
const commandsMax = 4096

// handedOver is how long the program's function runs when the program is taken to have the command. A shorter one has it when it returns: the
// command of a program that dies in it at once is not acknowledged.
const handedOver = 100 * time.Millisecond

// inbox has the commands that came, and brings them to the program: each once, in order, in time, and those with a stagger after a share of
// it. It outlives a session, but not the program: a command that waits is not acknowledged, so the node sends it again.
type inbox struct {
	memory *memory
	outbox *outbox
	clock  *nodeClock
	report func(Report)
	run    func(context.Context, *Command) (any, error)

	mu      sync.Mutex
	cursors cursorTrail
	// waiting has the ids of all that wait.
	waiting map[string]bool
	// ready has a command once its turn has come. It has room for all that wait.
	ready chan *waitingCommand
}

func newInbox(t *Terminal) *inbox {
	return &inbox{
		memory:  t.memory,
		outbox:  t.outbox,
		clock:   &t.clock,
		report:  t.report,
		run:     t.config.Run,
		cursors: cursorTrail{moved: t.memory.setCursor},
		waiting: map[string]bool{},
		ready:   make(chan *waitingCommand, commandsMax),
	}
}

// waitingCommand is a command that the program does not have yet.
type waitingCommand struct {
	frame *nodeFrame
	step  *cursorStep
}

// serve gives commands to the program, so many at once, until the context ends. It returns when the program's functions have.
func (i *inbox) serve(ctx context.Context, parallel int) {
	var workers sync.WaitGroup
	for range max(parallel, 1) {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case command := <-i.ready:
					i.handOver(ctx, command)
				}
			}
		}()
	}
	workers.Wait()
}

// receive takes a command. False if too many wait: the session must end, and the next one brings the command again.
func (i *inbox) receive(frame *nodeFrame) bool {
	id := *frame.ID
	i.mu.Lock()
	// A command is remembered before it ceases to wait: under this lock, one that came before does the one or the other.
	if !i.waiting[id] && i.memory.has(id) {
		i.cursors.pass(frame.Cursor)
		i.mu.Unlock()
		i.repeat(id)
		return true
	}
	defer i.mu.Unlock()
	if i.waiting[id] {
		return true
	}
	if len(i.waiting) >= commandsMax {
		return false
	}
	i.waiting[id] = true
	i.schedule(&waitingCommand{frame, i.cursors.add(frame.Cursor)})
	return true
}

// pass moves the cursor, once the program has all commands that wait now.
func (i *inbox) pass(cursor string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cursors.pass(cursor)
}

func (i *inbox) repeat(id string) {
	i.outbox.acknowledge(id)
	if frame := i.memory.result(id); frame != "" {
		i.outbox.result(id, frame)
	}
	i.report(Repeated{id})
}

func (i *inbox) schedule(command *waitingCommand) {
	var share time.Duration
	if !i.clock.isPast(*command.frame.ExpiresAt) {
		share = time.Duration(float64(milliseconds(command.frame.StaggerMs)) * rand.Float64())
	}
	if share == 0 {
		i.ready <- command
	} else {
		time.AfterFunc(share, func() { i.ready <- command })
	}
}

// handOver gives a command to the program. The order is the promise: the id is on the disk, the program has the command, the cursor moves,
// the node is told.
func (i *inbox) handOver(ctx context.Context, waiting *waitingCommand) {
	frame := waiting.frame
	id := *frame.ID
	i.memory.add(id)
	if i.clock.isPast(*frame.ExpiresAt) {
		i.taken(waiting)
		i.outbox.result(id, expiredResult(id))
		i.report(Expired{id})
		return
	}
	hasIt := sync.OnceFunc(func() {
		i.taken(waiting)
		i.outbox.acknowledge(id)
	})
	command := &Command{ID: id, Name: *frame.Name, Payload: frame.payload, ExpiresAt: *frame.ExpiresAt, outbox: i.outbox, hasIt: hasIt}
	running := time.AfterFunc(handedOver, hasIt)
	reply, err := i.run(ctx, command)
	running.Stop()
	hasIt()
	command.end(reply, err)
}

// taken moves the cursor past a command.
func (i *inbox) taken(command *waitingCommand) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.waiting, *command.frame.ID)
	i.cursors.done(command.step)
}
