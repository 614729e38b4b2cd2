package tutorial;

import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/**
 * The policy that the tutorial leaves open: after a random time, so that the clients of a server that ended do not all come
 * back in the same moment. A fleet wants a longer time, which grows with each failure: see clients/java.
 */
final class Reconnect {
    private static final int LONGEST_MS = Integer.getInteger("tutorial.reconnect", 5000);
    private static final ScheduledExecutorService TIMER = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "reconnect");
        thread.setDaemon(true);
        return thread;
    });

    private Reconnect() {}

    static void later(Runnable connect) {
        TIMER.schedule(connect, ThreadLocalRandom.current().nextInt(LONGEST_MS), TimeUnit.MILLISECONDS);
    }
}
