package scripted;

import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import io.netty.channel.Channel;
import io.netty.channel.embedded.EmbeddedChannel;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;

/**
 * A MongoDB whose documents are those at a scenario's beginning and whose change streams tell what
 * happens to them, for connectors to read from.
 *
 * <p>Owns the server: mongo-java-server answers what is asked of collections, and this what it lacks,
 * which is to be a replica set's member and to have change streams. It listens on a free port of
 * 127.0.0.1 and prints its connection string.
 */
public final class ScriptedMongoDb extends MemoryBackend {
  private static final String REPLICA_SET = "rs0";
  /** MongoDB 7.0. */
  private static final int WIRE_VERSION = 21;

  private final ChangeStreams streams;
  private volatile String address = "";

  private ScriptedMongoDb(Scenario scenario) {
    streams = new ChangeStreams(scenario.changes);
    Channel ourselves = new EmbeddedChannel();
    scenario.documents.forEach((collection, documents) -> {
      Document insert = new Document("insert", collection).append("documents", documents);
      handleCommand(ourselves, scenario.database, "insert", insert);
    });
  }

  public static void main(String[] arguments) throws Exception {
    ScriptedMongoDb backend = new ScriptedMongoDb(Scenario.read(Path.of(arguments[0])));
    MongoServer server = new MongoServer(backend);
    server.bind("127.0.0.1", 0);
    backend.address = "127.0.0.1:" + server.getLocalAddress().getPort();
    System.out.println("mongodb://" + backend.address + "/?replicaSet=" + REPLICA_SET);
  }

  /** Old clients' commands, which every client's first one may be. */
  @Override
  public Document handleCommand(Channel channel, String database, String command, Document query) {
    return isHello(command) ? hello() : super.handleCommand(channel, database, command, query);
  }

  @Override
  public Document handleMessage(MongoMessage message) {
    Document command = message.getDocument();
    String name = command.keySet().iterator().next();
    if (isHello(name)) {
      return hello();
    }
    if (name.equals("endSessions")) {
      return new Document("ok", 1.0);
    }
    if (name.equals("aggregate") && ChangeStreams.opens(command)) {
      return streams.open(command);
    }
    if (name.equals("getMore") && streams.has(command.get("getMore"))) {
      return streams.more(command);
    }
    return super.handleMessage(message);
  }

  private static boolean isHello(String command) {
    return command.equalsIgnoreCase("hello") || command.equalsIgnoreCase("isMaster");
  }

  private Document hello() {
    return new Document("helloOk", true)
        .append("ismaster", true)
        .append("isWritablePrimary", true)
        .append("secondary", false)
        .append("setName", REPLICA_SET)
        .append("setVersion", 1)
        .append("hosts", List.of(address))
        .append("primary", address)
        .append("me", address)
        .append("maxBsonObjectSize", 16 << 20)
        .append("maxMessageSizeBytes", 48_000_000)
        .append("maxWriteBatchSize", 100_000)
        .append("localTime", Instant.now())
        .append("logicalSessionTimeoutMinutes", 30)
        .append("connectionId", 1)
        .append("minWireVersion", 0)
        .append("maxWireVersion", WIRE_VERSION)
        .append("readOnly", false)
        .append("operationTime", Change.beginning())
        .append("ok", 1.0);
  }
}
