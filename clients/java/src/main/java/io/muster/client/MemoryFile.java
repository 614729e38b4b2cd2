package io.muster.client;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * A file of lines to which lines are appended, and which is rewritten when it has grown. A crash can tear the last line
 * only, and a line without its end is ignored.
 */
final class MemoryFile {
    /** The file is rewritten when it has this many times the lines, or the bytes, that it needs. */
    private static final int SLACK = 4;
    /** A file below this size is not rewritten because of its bytes. */
    private static final long SMALL = 1 << 20;

    private final Path path;
    private FileChannel channel;
    private long lines;
    private long bytes;
    private long needed;

    MemoryFile(Path path) {
        this.path = path;
    }

    /** The whole lines of the file; none if there is no file. */
    List<String> read() throws IOException {
        if (!Files.exists(path)) {
            return List.of();
        }
        // Not readString, which fails on a letter that a crash has cut in two.
        String text = new String(Files.readAllBytes(path), StandardCharsets.UTF_8);
        return text.substring(0, text.lastIndexOf('\n') + 1).lines().toList();
    }

    /** Writes another file and renames it, so that there is a complete file at any time. */
    void rewrite(List<String> content) throws IOException {
        StringBuilder text = new StringBuilder();
        content.forEach(line -> text.append(line).append('\n'));
        byte[] written = text.toString().getBytes(StandardCharsets.UTF_8);
        Path next = path.resolveSibling(path.getFileName() + ".next");
        try (FileChannel file = open(next, StandardOpenOption.TRUNCATE_EXISTING)) {
            write(file, written);
            // Before the rename: the name must not come to stand for a file whose bytes are not on the disk.
            file.force(true);
        }
        close();
        Files.move(next, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        syncFolder();
        channel = open(path, StandardOpenOption.APPEND);
        lines = content.size();
        bytes = written.length;
        needed = Math.max(bytes, SMALL);
    }

    /** Appends a line; with {@code sync} it is on the disk after that. */
    void append(byte[] line, boolean sync) throws IOException {
        if (channel == null || !channel.isOpen()) {
            channel = open(path, StandardOpenOption.APPEND);
        }
        ByteBuffer whole = ByteBuffer.allocate(line.length + 1).put(line).put((byte) '\n');
        write(channel, whole.array());
        lines++;
        bytes += line.length + 1;
        if (sync) {
            channel.force(false);
        }
    }

    /** Whether the file has much more than {@code content} lines, or than the bytes that it had when it was rewritten. */
    boolean isLong(int content) {
        return lines > (long) SLACK * (content + 1) || bytes > SLACK * needed;
    }

    void close() {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException ignored) {
            // What had to be on the disk is there.
        }
    }

    private static FileChannel open(Path path, StandardOpenOption how) throws IOException {
        return FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE, how);
    }

    private static void write(FileChannel file, byte[] content) throws IOException {
        ByteBuffer left = ByteBuffer.wrap(content);
        while (left.hasRemaining()) {
            file.write(left);
        }
    }

    /** Puts the rename on the disk. Windows opens no folder, and needs none of this. */
    private void syncFolder() throws IOException {
        if (path.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            try (FileChannel folder = FileChannel.open(path.toAbsolutePath().getParent(), StandardOpenOption.READ)) {
                folder.force(true);
            }
        }
    }
}
