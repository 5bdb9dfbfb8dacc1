import java.security.KeyStore;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

/** Opens a TLS context and says how many authorities it trusts. */
public class Tls {
    public static void main(String[] arguments) throws Exception {
        SSLContext context = SSLContext.getDefault();
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init((KeyStore) null);
        for (TrustManager manager : factory.getTrustManagers()) {
            if (manager instanceof X509TrustManager) {
                int authorities = ((X509TrustManager) manager).getAcceptedIssuers().length;
                System.out.println(context.getProtocol() + " context, " + authorities + " authorities, java "
                        + Runtime.version().feature());
                System.exit(authorities > 0 ? 0 : 1);
            }
        }
        System.exit(1);
    }
}
