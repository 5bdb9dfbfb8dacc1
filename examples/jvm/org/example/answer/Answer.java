package org.example.answer;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/** What the service answers. */
public final class Answer {
    private final String greeting;

    public Answer() throws IOException {
        try (InputStream stream = Answer.class.getResourceAsStream("/greeting.txt")) {
            greeting = new String(stream.readAllBytes(), StandardCharsets.UTF_8).strip();
        }
    }

    /** Gives the body of the answer to a request for a path. */
    public byte[] to(String path) {
        String plain = path.replaceAll("[\"\\\\\\p{Cntrl}]", "?");
        String text = String.format(
                "{\"hello\":\"%s\",\"path\":\"%s\",\"java\":\"%s\"}%n", greeting, plain, Runtime.version().feature());
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
