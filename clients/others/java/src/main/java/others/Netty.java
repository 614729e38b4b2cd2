package others;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketClientHandshakeException;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolHandler;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolHandler.ClientHandshakeStateEvent;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.handler.ssl.SslContextBuilder;
import java.net.URI;

/** Netty. Its limit of a frame, 64 KiB by default, is less than a command may have. */
final class Netty extends SimpleChannelInboundHandler<WebSocketFrame> {
    public static void main(String[] words) {
        URI at = URI.create(words[0]);
        new Bootstrap()
            .group(new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory()))
            .channel(NioSocketChannel.class)
            .handler(new ChannelInitializer<Channel>() {
                @Override
                protected void initChannel(Channel channel) throws Exception {
                    if (at.getScheme().equals("wss")) {
                        channel.pipeline().addLast(
                            SslContextBuilder.forClient().build().newHandler(channel.alloc(), at.getHost(), at.getPort()));
                    }
                    channel.pipeline().addLast(new HttpClientCodec(), new HttpObjectAggregator(8192), handshake(at));
                    channel.pipeline().addLast(new WebSocketFrameAggregator(1 << 20), new Netty());
                }
            })
            .connect(at.getHost(), at.getPort());
    }

    private static WebSocketClientProtocolHandler handshake(URI at) {
        HttpHeaders headers = new DefaultHttpHeaders();
        Lines.HEADERS.forEach(headers::add);
        return new WebSocketClientProtocolHandler(WebSocketClientProtocolConfig.newBuilder()
            .webSocketUri(at)
            .subprotocol(Lines.SUBPROTOCOLS.isEmpty() ? null : String.join(",", Lines.SUBPROTOCOLS))
            .customHeaders(headers)
            .maxFramePayloadLength(1 << 20)
            .handleCloseFrames(false)
            .build());
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        if (event == ClientHandshakeStateEvent.HANDSHAKE_COMPLETE) {
            Lines.say("open");
            context.writeAndFlush(new TextWebSocketFrame("hello"));
        }
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, WebSocketFrame frame) {
        if (frame instanceof CloseWebSocketFrame close) {
            Lines.close(close.statusCode(), close.reasonText());
        } else if (frame instanceof TextWebSocketFrame text) {
            String answer = Lines.text(text.text());
            if (answer != null) {
                context.writeAndFlush(new TextWebSocketFrame(answer));
            }
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        Lines.close(null, null);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable error) {
        if (error instanceof WebSocketClientHandshakeException refused && refused.response() != null) {
            Lines.refused(refused.response().status().code(), null);
        }
        Lines.error(error);
    }
}
