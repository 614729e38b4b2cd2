package muster

import (
	"strings"
	"sync"
)

const (
	// slack is how many times the lines, or the bytes, that it needs the journal has when it is rewritten.
	slack = 4
	// small is the size in bytes below which a journal is not rewritten because of it.
	small = 1 << 20
	// resultsMax is how many results are remembered, and resultsBytes how many bytes they have together. The oldest go first.
	resultsMax   = 256
	resultsBytes = 1 << 20
)

// memory is what a terminal remembers from one session to the next: the last commands that the program was given, so that none runs twice,
// the cursor, and the last results. With a journal it remembers them over a restart of the program too: a line for each change,
// "command ID", "cursor CURSOR" or "result ID FRAME".
type memory struct {
	mu sync.Mutex
	// journal is nil without a file.
	journal *journal
	// failed is called when the journal can't be written. The terminal goes on without.
	failed func(error)
	limit  int
	ids    map[string]bool
	// order has the same ids, the oldest first.
	order   []string
	cursor  string
	results []result
	// lines and bytes are what the journal has, and needed the bytes that it had when it was rewritten.
	lines, bytes, needed int
}

// result is the frame by which a command ended.
type result struct {
	id, frame string
}

// openMemory reads the file at the path; an empty path is for none. It remembers the last ids, limit of them.
func openMemory(path string, limit int, failed func(error)) (*memory, error) {
	m := &memory{limit: max(limit, 1), failed: failed, ids: map[string]bool{}}
	if path == "" {
		return m, nil
	}
	m.journal = &journal{path: path}
	if err := m.journal.read(m.take); err != nil {
		return nil, err
	}
	return m, m.rewrite()
}

// has says whether the program was given this command before, as far as is remembered.
func (m *memory) has(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ids[id]
}

// add remembers a command that the program is about to be given.
func (m *memory) add(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addID(id)
	m.append("command "+id, true)
}

func (m *memory) setCursor(cursor string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if cursor == m.cursor || strings.ContainsAny(cursor, "\r\n") {
		return
	}
	m.cursor = cursor
	// A cursor that is lost with the power costs no more than some commands that arrive twice.
	m.append("cursor "+cursor, false)
}

// lastCursor returns the cursor to resume from. Empty if there is none.
func (m *memory) lastCursor() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cursor
}

// setResult remembers the result of a command, before it is sent.
func (m *memory) setResult(id, frame string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addResult(id, frame)
	m.append("result "+id+" "+frame, true)
}

// result returns the frame, or an empty text.
func (m *memory) result(id string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, result := range m.results {
		if result.id == id {
			return result.frame
		}
	}
	return ""
}

// lastResults returns the results that are remembered, the oldest first.
func (m *memory) lastResults() []result {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]result{}, m.results...)
}

func (m *memory) take(line string) {
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case "command":
		m.addID(rest)
	case "cursor":
		m.cursor = rest
	case "result":
		id, frame, _ := strings.Cut(rest, " ")
		m.addResult(id, frame)
	}
}

func (m *memory) addID(id string) {
	if m.ids[id] {
		return
	}
	m.ids[id] = true
	m.order = append(m.order, id)
	if len(m.order) > m.limit {
		delete(m.ids, m.order[0])
		m.order = m.order[1:]
	}
}

func (m *memory) addResult(id, frame string) {
	kept := m.results[:0]
	bytes := len(frame)
	for _, other := range m.results {
		if other.id != id {
			kept, bytes = append(kept, other), bytes+len(other.frame)
		}
	}
	m.results = append(kept, result{id, frame})
	for len(m.results) > resultsMax || (bytes > resultsBytes && len(m.results) > 1) {
		bytes -= len(m.results[0].frame)
		m.results = m.results[1:]
	}
}

func (m *memory) append(line string, durable bool) {
	if m.journal == nil {
		return
	}
	m.lines++
	m.bytes += len(line) + 1
	isLong := m.lines > slack*(m.limit+len(m.results)+1)
	isLarge := m.bytes > slack*max(m.needed, small)
	var err error
	if isLong || isLarge {
		err = m.rewrite()
	} else {
		err = m.journal.append(line, durable)
	}
	if err != nil {
		m.failed(err)
	}
}

func (m *memory) rewrite() error {
	var lines []string
	for _, id := range m.order {
		lines = append(lines, "command "+id)
	}
	if m.cursor != "" {
		lines = append(lines, "cursor "+m.cursor)
	}
	for _, result := range m.results {
		lines = append(lines, "result "+result.id+" "+result.frame)
	}
	m.lines, m.bytes = len(lines), 0
	for _, line := range lines {
		m.bytes += len(line) + 1
	}
	m.needed = m.bytes
	return m.journal.replace(lines)
}
