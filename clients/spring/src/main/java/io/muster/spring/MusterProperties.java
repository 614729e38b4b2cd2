package io.muster.spring;

import io.muster.client.Policy;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * The properties {@code muster.*}.
 *
 * @param terminal the terminal's id, unique in the fleet
 * @param url where to connect, such as {@code wss://example.net/ws}; several are tried in turn
 * @param tokenFile the file with the token, which is read again when it is needed; none for a {@code TokenSource} bean, or
 *     for nodes that need no token
 * @param memory the file that keeps the last command ids, the cursor and the last results over a restart; none by default
 * @param remember how many of the last command ids are remembered; 4096 by default
 * @param labels the labels that the hello says
 * @param sslBundle the name of the SSL bundle for {@code wss://}; by default the servers that the JDK trusts are trusted
 * @param reconnect how long to wait before reconnecting
 */
@ConfigurationProperties("muster")
public record MusterProperties(
        String terminal,
        List<String> url,
        Path tokenFile,
        Path memory,
        @DefaultValue("4096") int remember,
        @DefaultValue Map<String, String> labels,
        String sslBundle,
        @DefaultValue Reconnect reconnect) {

    /** The times of {@link Policy}, with its defaults. */
    public record Reconnect(
            @DefaultValue("5s") Duration first,
            @DefaultValue("30s") Duration cap,
            @DefaultValue("60s") Duration stable,
            @DefaultValue("5m") Duration slow,
            @DefaultValue("10m") Duration hintCap,
            @DefaultValue("10s") Duration deadline) {

        Policy policy() {
            return new Policy(first, cap, stable, slow, hintCap, deadline);
        }
    }
}
