public final class Words {
    static String hello() {
        return Words.class.getResource("/bought.txt") == null ? "?" : "hello";
    }
}
