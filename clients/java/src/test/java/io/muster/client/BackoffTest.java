package io.muster.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class BackoffTest {
    private static final ConnectionEnd LOST = ConnectionEnd.of(ConnectionEnd.Kind.LOST, "reset");

    private static Backoff backoff(long seed) {
        return new Backoff(Policy.DEFAULT, new SplittableRandom(seed));
    }

    private static long millis(Backoff backoff, ConnectionEnd end, Duration lasted) {
        return backoff.after(end, lasted).orElseThrow().toMillis();
    }

    /** The delays that 500 seeds draw after this many failures, in milliseconds. */
    private static LongStream delays(int failures) {
        return LongStream.range(0, 500).map(seed -> {
            Backoff backoff = backoff(seed);
            return IntStream.range(0, failures).mapToLong(any -> millis(backoff, LOST, Duration.ZERO)).reduce(0, (a, b) -> b);
        });
    }

    @Test
    void theRangeStartsWideDoublesAndIsCapped() {
        int[][] ranges = {{1, 5_000}, {2, 10_000}, {3, 20_000}, {4, 30_000}, {40, 30_000}};
        for (int[] each : ranges) {
            long longest = delays(each[0]).max().orElseThrow();
            assertTrue(longest <= each[1] && longest > each[1] * 95 / 100, each[0] + " failures: " + longest);
        }
        assertTrue(delays(1).min().orElseThrow() < 100);
    }

    @Test
    void onlyAStableSessionResetsTheRange() {
        Duration almost = Duration.ofSeconds(59);
        Duration stable = Duration.ofSeconds(60);
        boolean isWide = false;
        for (long seed = 0; seed < 100; seed++) {
            Backoff backoff = backoff(seed);
            IntStream.range(0, 5).forEach(any -> backoff.after(LOST, almost));
            isWide |= millis(backoff, LOST, almost) > 20_000;
            assertTrue(millis(backoff, LOST, stable) <= 5_000);
        }
        assertTrue(isWide);
    }

    @Test
    void aHintIsFollowedWithUpToATenthAddedAndIsCapped() {
        ConnectionEnd end = ConnectionEnd.closed(1012, "{\"retry_ms\":10000}", null);
        List<Long> delays = LongStream.range(0, 100).mapToObj(seed -> millis(backoff(seed), end, Duration.ZERO)).toList();
        assertTrue(delays.stream().allMatch(delay -> delay >= 10_000 && delay <= 11_000));
        assertNotEquals(delays.get(0), delays.get(1));
        ConnectionEnd absurd = ConnectionEnd.closed(1012, "{\"retry_ms\":99999999999999999999}", null);
        assertTrue(millis(backoff(7), absurd, Duration.ZERO) <= 660_000);
        assertTrue(millis(backoff(7), ConnectionEnd.refused(429, Duration.ofSeconds(2)), Duration.ZERO) >= 2_000);
    }

    @Test
    void afterAFinalEndThereIsNoDelay() {
        for (ConnectionEnd end : List.of(
                ConnectionEnd.closed(4509, "{\"retry_ms\":5}", null),
                ConnectionEnd.refused(403, Duration.ZERO),
                ConnectionEnd.of(ConnectionEnd.Kind.LEFT, ""))) {
            assertEquals(Optional.empty(), backoff(7).after(end, Duration.ofDays(1)), end::toString);
        }
    }

    @Test
    void withoutAGoodTokenAttemptsAreMinutesApartAndTheSourceIsAskedMoreOften() {
        Backoff backoff = backoff(7);
        for (int round = 0; round < 100; round++) {
            long slow = backoff.slowly().toSeconds();
            assertTrue(slow >= 150 && slow <= 300, "" + slow);
            int[][] longest = {{0, 30}, {1, 30}, {2, 60}, {9, 300}};
            for (int[] each : longest) {
                long delay = backoff.beforeAsking(each[0]).toMillis();
                assertTrue(delay >= each[1] * 500L && delay <= each[1] * 1000L, each[0] + ": " + delay);
            }
        }
    }

    @Test
    void theSourceIsAskedInTheLastFifthOfATokensLifeAndEarlierIfItIsShort() {
        long[][] ranges = {{3600, 2_880_000, 3_240_000}, {30, 20_000, 25_000}, {4, 2000, 3000}, {0, 0, 0}};
        for (long[] each : ranges) {
            Duration left = Duration.ofSeconds(each[0]);
            assertEquals(each[1], TokenRenewal.askAfter(left, 0).toMillis());
            assertEquals(each[2], TokenRenewal.askAfter(left, 1).toMillis());
        }
    }
}
