package muster

// cursorTrail has the cursors of the commands that came, in their order. The terminal's cursor moves past a command only once the program
// has that command and all before it: what the program did not get is sent again.
type cursorTrail struct {
	steps []*cursorStep
	// moved takes the new cursor.
	moved func(string)
}

type cursorStep struct {
	// cursor is empty for a command that names its targets.
	cursor string
	isDone bool
}

// add adds a command that waits.
func (t *cursorTrail) add(cursor string) *cursorStep {
	step := &cursorStep{cursor: cursor}
	t.steps = append(t.steps, step)
	return step
}

// done is called when the program has the command.
func (t *cursorTrail) done(step *cursorStep) {
	step.isDone = true
	t.move()
}

// pass adds a cursor behind which nothing waits. Such steps do not pile up while an earlier command waits.
func (t *cursorTrail) pass(cursor string) {
	if cursor == "" {
		return
	}
	if last := len(t.steps) - 1; last >= 0 && t.steps[last].isDone {
		t.steps[last].cursor = cursor
	} else {
		t.steps = append(t.steps, &cursorStep{cursor: cursor, isDone: true})
	}
	t.move()
}

func (t *cursorTrail) move() {
	cursor := ""
	for len(t.steps) > 0 && t.steps[0].isDone {
		if t.steps[0].cursor != "" {
			cursor = t.steps[0].cursor
		}
		t.steps = t.steps[1:]
	}
	if cursor != "" {
		t.moved(cursor)
	}
}
