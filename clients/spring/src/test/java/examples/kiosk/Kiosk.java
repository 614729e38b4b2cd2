package examples.kiosk;

import io.muster.client.Command;
import io.muster.client.Payload;
import io.muster.client.Program;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.stereotype.Component;

/** A terminal that answers:  java … examples.kiosk.Kiosk --muster.url=ws://127.0.0.1:9000/ws --muster.terminal=kiosk-7 */
@SpringBootApplication
public class Kiosk {
    public static void main(String[] args) {
        SpringApplication.run(Kiosk.class, args);
    }

    @Component
    static class Screen implements Program {
        @Override
        public void onCommand(Command command) {
            if (command.name().equals("show")) {
                System.out.println(command.payload().asText());
                command.succeed(Payload.text("shown"));
            } else {
                command.reject();
            }
        }
    }
}
