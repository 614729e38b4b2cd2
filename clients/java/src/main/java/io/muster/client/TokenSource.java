package io.muster.client;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;

/**
 * Where a terminal's token comes from. A source that gives a newer token before the present one expires keeps the session
 * going. It may take {@link Policy#deadline}; one that fails or takes longer stops nothing: the terminal goes on with the
 * token that it has.
 */
@FunctionalInterface
public interface TokenSource {
    /** The largest file that is read as a token, in bytes. A node takes no longer token. */
    int FILE_MAX = 16 * 1024;

    /**
     * Fetches a token. It is called on a thread of its own, never twice at once. The text of an exception is reported to the
     * program, so it must not hold a token.
     */
    String token() throws Exception;

    /** Whether asking costs so little that it is done before each attempt. False by default, true for a file. */
    default boolean isCheap() {
        return false;
    }

    /** The same token for ever: the terminal can't come back once it has expired. */
    static TokenSource fixed(String token) {
        Objects.requireNonNull(token);
        return () -> token;
    }

    /**
     * A file that another program may replace. It is read before each attempt and before the token expires; white space
     * around the token is ignored. Replace it by a rename, so that no half of a token is read.
     */
    static TokenSource file(Path path) {
        return new TokenSource() {
            @Override
            public String token() throws IOException {
                return read(path);
            }

            @Override
            public boolean isCheap() {
                return true;
            }
        };
    }

    private static String read(Path path) throws IOException {
        // To open a pipe would wait for a writer.
        if (!Files.isRegularFile(path)) {
            throw new IOException("token file " + path + ": it is missing, or no regular file");
        }
        byte[] bytes;
        try (InputStream file = Files.newInputStream(path)) {
            bytes = file.readNBytes(FILE_MAX + 1);
        }
        if (bytes.length > FILE_MAX) {
            throw new IOException("token file " + path + ": it is larger than the " + FILE_MAX + " bytes that a token may have");
        }
        return new String(bytes, StandardCharsets.UTF_8).strip();
    }
}
