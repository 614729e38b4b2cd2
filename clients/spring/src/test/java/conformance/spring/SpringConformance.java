package conformance.spring;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import conformance.Conformance;
import io.muster.client.Terminal;
import io.muster.spring.MusterAutoConfiguration;
import java.util.HashMap;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;

/**
 * What the kit starts: the program of the Java client, as a bean. Spring reads the variables MUSTER_URL, MUSTER_TERMINAL and
 * MUSTER_TOKEN_FILE by itself.
 */
@SpringBootConfiguration(proxyBeanMethods = false)
@ImportAutoConfiguration(MusterAutoConfiguration.class)
public class SpringConformance {
    public static void main(String[] args) throws InterruptedException {
        WarmUp.run();
        SpringApplication application = new SpringApplication(SpringConformance.class);
        application.setWebApplicationType(WebApplicationType.NONE);
        application.setDefaultProperties(properties());
        try (ConfigurableApplicationContext context = application.run(args)) {
            Terminal terminal = context.getBean(Terminal.class);
            context.getBean(Conformance.class).take(terminal);
            terminal.join();
        }
        System.exit(0);
    }

    @Bean
    Conformance program() {
        return new Conformance();
    }

    private static Map<String, Object> properties() {
        Map<String, Object> properties = new HashMap<>();
        properties.put("spring.main.banner-mode", "off");
        properties.put("logging.level.root", "warn");
        properties.put("muster.labels.kit", "yes");
        properties.put("muster.memory", System.getenv("MUSTER_STATE") + "/memory");
        JsonObject policy = JsonParser.parseString(System.getenv("MUSTER_POLICY")).getAsJsonObject();
        // "hint_cap_ms":6000 is muster.reconnect.hint-cap=6000ms.
        policy.entrySet().forEach(each -> properties.put(
                "muster.reconnect." + each.getKey().replace("_ms", "").replace('_', '-'), each.getValue().getAsLong() + "ms"));
        return properties;
    }
}
