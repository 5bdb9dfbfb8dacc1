public final class Hello {
    public static void main(String[] words) throws Exception {
        System.out.println(Words.hello());
    }
}
