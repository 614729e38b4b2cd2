package io.muster.spring;

import io.muster.client.Program;
import io.muster.client.Settings;
import io.muster.client.Terminal;
import io.muster.client.TokenSource;
import io.muster.client.transport.Dialer;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import javax.net.ssl.SSLException;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.boot.ssl.SslManagerBundle;
import org.springframework.context.annotation.Bean;

/**
 * Makes a {@link Terminal} for an application that has a {@link Program} bean. The terminal connects when its bean is made,
 * and leaves when the application ends.
 */
@AutoConfiguration(afterName = "org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration")
@ConditionalOnBean(Program.class)
@EnableConfigurationProperties(MusterProperties.class)
public class MusterAutoConfiguration {
    private static final String SDK = "muster-spring/0.1.0";

    /** What connects: Spring's WebSocket client. */
    @Bean
    @ConditionalOnMissingBean
    Dialer musterDialer(MusterProperties properties, ObjectProvider<SslBundles> bundles) throws SSLException {
        String name = properties.sslBundle();
        return name == null ? new SpringDialer() : new SpringDialer(context(bundles.getObject().getBundle(name).getManagers()));
    }

    /** The terminal. */
    @Bean(destroyMethod = "close")
    @ConditionalOnMissingBean
    Terminal musterTerminal(
            MusterProperties properties, Program program, Dialer dialer, ObjectProvider<TokenSource> source) throws IOException {
        return Terminal.start(settings(properties, source.getIfAvailable()).dialer(dialer), program);
    }

    private static Settings settings(MusterProperties properties, TokenSource source) {
        if (properties.terminal() == null || properties.url() == null) {
            throw new IllegalArgumentException("set the properties muster.terminal and muster.url");
        }
        Settings settings = Settings.of(properties.terminal())
                .remember(properties.remember())
                .policy(properties.reconnect().policy())
                .sdk(SDK);
        properties.url().forEach(settings::url);
        properties.labels().forEach(settings::label);
        if (source != null) {
            settings.token(source);
        } else if (properties.tokenFile() != null) {
            settings.token(TokenSource.file(properties.tokenFile()));
        }
        if (properties.memory() != null) {
            settings.memory(properties.memory());
        }
        return settings;
    }

    private static SslContext context(SslManagerBundle managers) throws SSLException {
        return SslContextBuilder.forClient()
                .keyManager(managers.getKeyManagerFactory())
                .trustManager(managers.getTrustManagerFactory())
                .build();
    }
}
