public final class WordsTest {
    public static void main(String[] words) {
        if (!Words.hello().equals("hello")) throw new AssertionError(Words.hello());
    }
}
