import org.apache.activemq.artemis.core.config.impl.ConfigurationImpl;
import org.apache.activemq.artemis.core.server.embedded.EmbeddedActiveMQ;

/** A broker of STOMP that answers receipts, also to subscriptions. Each destination is a topic.   java Broker.java PORT */
class Broker {
  public static void main(String[] words) throws Exception {
    var settings = new ConfigurationImpl().setPersistenceEnabled(false).setSecurityEnabled(false);
    settings.addAcceptorConfiguration("stomp", "tcp://127.0.0.1:" + words[0] + "?protocols=STOMP");
    new EmbeddedActiveMQ().setConfiguration(settings).start();
    System.out.println("ready on 127.0.0.1:" + words[0]);
  }
}
