package io.muster.client;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/**
 * What a terminal remembers across its sessions: its last commands, so that one which arrives twice runs once, and its
 * cursor. With a file it remembers them across restarts too, and its last results.
 *
 * <p>A command is on the disk before the program gets it: a program that dies while it runs a command does not run it
 * again, and the operator sees that no result came. A result is on the disk before it is sent.
 *
 * <p>The file has a line for each change, {@code command ID}, {@code cursor CURSOR} or {@code result ID FRAME}, as that of
 * the Rust client has.
 */
final class SeenCommands {
    private static final Logger LOG = System.getLogger(SeenCommands.class.getName());
    /** How many bytes the results in the file have together at most; the oldest go first. */
    private static final int RESULTS_BYTES = 1 << 20;

    private final Set<UUID> ids = new LinkedHashSet<>();
    private final Map<UUID, Outgoing> results = new LinkedHashMap<>();
    private final int limit;
    private final MemoryFile file;
    private String cursor;
    /** Whether a line could not be written, or half of it only. */
    private boolean isTorn;

    /** Remembers the last {@code limit} commands. {@code path} is null for a memory that ends with the program. */
    SeenCommands(int limit, Path path) throws IOException {
        this.limit = limit;
        file = path == null ? null : new MemoryFile(path);
        if (file != null) {
            file.read().forEach(this::readLine);
            file.rewrite(lines());
        }
    }

    boolean contains(UUID id) {
        return ids.contains(id);
    }

    /** Remembers a command, on the disk too. */
    void insert(UUID id) {
        if (remember(id)) {
            append("command " + id, true);
        }
    }

    /** Remembers the result of a command, if there is a file. */
    void setResult(Outgoing result) {
        if (file == null || result.equals(results.get(result.resultOf()))) {
            return;
        }
        rememberResult(result);
        // No text in a frame has a line break: JSON escapes it.
        append("result " + result.resultOf() + " " + result.text(), true);
    }

    /** The results that the file had, the oldest first. */
    List<Outgoing> results() {
        return List.copyOf(results.values());
    }

    /** The cursor to resume from; null if there is none. */
    String cursor() {
        return cursor;
    }

    void setCursor(String newer) {
        if (!newer.equals(cursor)) {
            cursor = newer;
            // A cursor that is lost with the power costs no more than some commands that arrive twice.
            append("cursor " + newer, false);
        }
    }

    void close() {
        if (file != null) {
            file.close();
        }
    }

    private boolean remember(UUID id) {
        boolean isNew = ids.add(id);
        if (ids.size() > limit) {
            dropOldest(ids.iterator());
        }
        return isNew;
    }

    private void rememberResult(Outgoing result) {
        results.remove(result.resultOf());
        results.put(result.resultOf(), result);
        long bytes = results.values().stream().mapToLong(Outgoing::bytes).sum();
        while (results.size() > ResultOutbox.KEPT || bytes > RESULTS_BYTES) {
            bytes -= results.values().iterator().next().bytes();
            dropOldest(results.keySet().iterator());
        }
    }

    private static void dropOldest(Iterator<?> oldestFirst) {
        oldestFirst.next();
        oldestFirst.remove();
    }

    private void readLine(String line) {
        String[] words = line.split(" ", 3);
        try {
            switch (words[0]) {
                case "command" -> remember(UUID.fromString(words[1]));
                case "cursor" -> cursor = words[1];
                case "result" -> rememberResult(new Outgoing(words[2], UUID.fromString(words[1])));
                default -> { }
            }
        } catch (IllegalArgumentException | IndexOutOfBoundsException damaged) {
            LOG.log(Level.WARNING, "a line of the memory file can't be read and is left out");
        }
    }

    private List<String> lines() {
        List<String> lines = new ArrayList<>();
        ids.forEach(id -> lines.add("command " + id));
        if (cursor != null) {
            lines.add("cursor " + cursor);
        }
        results.values().forEach(result -> lines.add("result " + result.resultOf() + " " + result.text()));
        return lines;
    }

    /**
     * Appends a line that is remembered already. A failure, such as a full disk, does not take the terminal offline: the next line
     * has the whole file rewritten, since it would be glued to half of this one.
     */
    private void append(String line, boolean sync) {
        if (file == null) {
            return;
        }
        try {
            if (isTorn || file.isLong(limit + results.size())) {
                file.rewrite(lines());
                isTorn = false;
            } else {
                file.append(line.getBytes(StandardCharsets.UTF_8), sync);
            }
        } catch (IOException error) {
            isTorn = true;
            LOG.log(Level.WARNING, "the memory file was not written: " + error);
        }
    }
}
