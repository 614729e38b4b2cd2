package tutorial;

/** What the two clients have in common. */
interface Client {
    void start();

    void sendText(String text) throws Exception;

    void sendBytes(byte[] bytes) throws Exception;

    /** Closes the connection, from which the client comes back as from any other close. */
    void close() throws Exception;
}
