package org.example;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;
import org.example.answer.Answer;

/** Answers every request with one line of JSON until SIGTERM. */
public final class Server {
    private Server() {}

    public static void main(String[] words) throws IOException {
        int port = words.length > 0 ? Integer.parseInt(words[0]) : 8080;
        HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
        server.setExecutor(Executors.newFixedThreadPool(4));
        Answer answer = new Answer();
        server.createContext("/", exchange -> {
            byte[] body = answer.to(exchange.getRequestURI().getPath());
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        System.out.println("listening on " + port);
    }
}
