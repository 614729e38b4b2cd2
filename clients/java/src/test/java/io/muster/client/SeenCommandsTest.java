package io.muster.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SeenCommandsTest {
    @TempDir Path folder;

    private static UUID id(int number) {
        return new UUID(0x7000, number);
    }

    private static Outgoing result(int number, String payload) {
        return Outgoing.result(id(number), true, null, Payload.text(payload));
    }

    private SeenCommands open(int limit) throws IOException {
        return new SeenCommands(limit, folder.resolve("memory"));
    }

    @Test
    void theOldestCommandIsForgottenBeyondTheLimit() throws IOException {
        SeenCommands seen = new SeenCommands(3, null);
        for (int number = 0; number < 4; number++) {
            seen.insert(id(number));
        }
        assertFalse(seen.contains(id(0)));
        assertTrue(seen.contains(id(1)) && seen.contains(id(3)));
    }

    @Test
    void aFileWithATornLastLineIsReadAfterARestart() throws IOException {
        SeenCommands seen = open(3);
        for (int number = 0; number < 100; number++) {
            seen.insert(id(number));
        }
        seen.setCursor("c7");
        seen.close();
        byte[] torn = {'c', 'u', 'r', 's', 'o', 'r', ' ', 't', (byte) 0xc3};
        Files.write(folder.resolve("memory"), torn, StandardOpenOption.APPEND);
        SeenCommands again = open(3);
        assertEquals("c7", again.cursor());
        assertTrue(again.contains(id(99)) && again.contains(id(97)));
        assertFalse(again.contains(id(96)));
        assertTrue(Files.readAllLines(folder.resolve("memory")).size() <= 4, "it is rewritten when it is opened");
    }

    @Test
    void whatADiskDidNotTakeIsWrittenWithWhatFollows() throws IOException {
        SeenCommands seen = open(9);
        seen.insert(id(1));
        seen.close();
        Path file = folder.resolve("memory");
        Files.delete(file);
        Files.createDirectory(file);
        seen.insert(id(2));
        Files.delete(file);
        Files.writeString(file, "command torn");
        seen.insert(id(3));
        SeenCommands again = open(9);
        assertTrue(again.contains(id(1)) && again.contains(id(2)) && again.contains(id(3)));
    }

    @Test
    void theFileIsRewrittenWhenItHasGrown() throws IOException {
        SeenCommands seen = open(3);
        for (int number = 0; number < 1000; number++) {
            seen.insert(id(number));
        }
        assertTrue(Files.readAllLines(folder.resolve("memory")).size() <= 4 * 4);
    }

    @Test
    void theLastResultsAreReadAfterARestart() throws IOException {
        SeenCommands seen = open(3);
        for (int number = 0; number < 600; number++) {
            seen.setResult(result(number % 300, "line\nbreak " + number));
        }
        seen.close();
        List<Outgoing> results = open(3).results();
        assertEquals(256, results.size());
        assertEquals(result(299, "line\nbreak 599"), results.get(255));
    }

    @Test
    void largeResultsAreBoundedByTheirBytes() throws IOException {
        SeenCommands seen = open(3);
        for (int number = 0; number < 40; number++) {
            seen.setResult(result(number, "x".repeat(1 << 18)));
        }
        assertTrue(open(3).results().size() < 4);
        assertTrue(Files.size(folder.resolve("memory")) <= 6 << 20);
    }

    @Test
    void aMissingFolderIsAnError() {
        assertThrows(IOException.class, () -> new SeenCommands(3, folder.resolve("missing/memory")));
    }
}
