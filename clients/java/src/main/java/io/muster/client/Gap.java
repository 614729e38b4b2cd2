package io.muster.client;

/**
 * Commands that are missing and will not arrive.
 *
 * @param from the cursor after which they are missing
 * @param to the cursor up to which they are missing
 * @param reason why, for people
 */
public record Gap(String from, String to, String reason) {}
