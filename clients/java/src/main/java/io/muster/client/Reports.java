package io.muster.client;

import com.google.gson.JsonObject;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;

/** Calls the program. What it throws is logged, and does not end the terminal. */
final class Reports {
    private static final Logger LOG = System.getLogger(Program.class.getName());

    private final Program program;

    Reports(Program program) {
        this.program = program;
    }

    /** One call to the program. */
    interface Report {
        void to(Program program);
    }

    void make(Report report) {
        try {
            report.to(program);
        } catch (Exception | LinkageError | AssertionError | StackOverflowError error) {
            LOG.log(Level.ERROR, "the program threw an exception", error);
        }
    }

    /** Hands a command over. If the program throws before it has answered, the command has failed. */
    void command(Command command) {
        try {
            program.onCommand(command);
        } catch (Exception | LinkageError | AssertionError | StackOverflowError error) {
            LOG.log(Level.ERROR, "the program threw an exception at the command " + command.id(), error);
            if (!command.isAnswered()) {
                // The message of an exception may hold what an operator must not read.
                JsonObject reply = new JsonObject();
                reply.addProperty("error", error.getClass().getSimpleName());
                make(unused -> command.fail(Payload.json(reply)));
            }
        }
    }
}
