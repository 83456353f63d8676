package scripted;

import de.bwaldvogel.mongo.backend.aggregation.Aggregation;
import de.bwaldvogel.mongo.bson.BsonTimestamp;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.oplog.NoopOplog;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The cursors of change streams.
 *
 * <p>Owns which changes a stream is given. Invariant: a reader that takes a stream's position, reads
 * all documents and then goes on from that position misses nothing and is told every change once. So
 * time stands still for a stream that does not say where it begins: it stays at the beginning, and what
 * happens is told to those that begin somewhere.
 */
final class ChangeStreams {
  private static final long FIRST_ID = 900_001;
  private static final long PAUSE_MS = 100;

  private final List<Change> changes;
  private final Map<Long, Stream> open = new ConcurrentHashMap<>();
  private final AtomicLong nextId = new AtomicLong(FIRST_ID);

  ChangeStreams(List<Change> changes) {
    this.changes = changes;
  }

  /** One cursor. It is asked by one connection at a time. */
  private static final class Stream {
    final Document options;
    final String database;
    final String collection;
    final Aggregation pipeline;
    String after;
    boolean moves;

    Stream(Document command) {
      List<Document> stages = new ArrayList<>(Aggregation.parse(command.get("pipeline")));
      options = (Document) stages.remove(0).get("$changeStream");
      boolean isWhole = Boolean.TRUE.equals(options.get("allChangesForCluster"));
      database = isWhole ? null : (String) command.get("$db");
      collection = command.get("aggregate") instanceof String name ? name : null;
      pipeline = Aggregation.fromPipeline(stages, null, null, null, NoopOplog.get());
      begin();
    }

    private void begin() {
      after = (String) Change.token(Change.beginning()).get("_data");
      for (String name : List.of("resumeAfter", "startAfter")) {
        if (options.get(name) instanceof Document token) {
          after = (String) token.get("_data");
          moves = true;
        }
      }
      if (options.get("startAtOperationTime") instanceof BsonTimestamp time) {
        // Changes of that very time are still to come.
        after = (String) Change.token(new BsonTimestamp(time.getValue() - 1)).get("_data");
        moves = true;
      }
    }

    List<Document> next(List<Change> changes) {
      List<Document> told = new ArrayList<>();
      for (Change change : changes) {
        String token = (String) Change.token(change.time()).get("_data");
        if (moves && token.compareTo(after) > 0) {
          after = token;
          if (change.isShown(options, database, collection)) {
            told.addAll(pipeline.runStages(java.util.stream.Stream.of(change.told(options))));
          }
        }
      }
      return told;
    }
  }

  /** Whether a command opens a change stream. */
  static boolean opens(Document command) {
    return command.get("pipeline") instanceof List<?> stages
        && !stages.isEmpty()
        && stages.get(0) instanceof Document first
        && first.containsKey("$changeStream");
  }

  boolean has(Object id) {
    return id instanceof Number number && open.containsKey(number.longValue());
  }

  Document open(Document command) {
    Stream stream = new Stream(command);
    long id = nextId.getAndIncrement();
    open.put(id, stream);
    return answer("firstBatch", id, stream, List.of());
  }

  Document more(Document command) {
    long id = ((Number) command.get("getMore")).longValue();
    Stream stream = open.get(id);
    List<Document> told = stream.next(changes);
    if (told.isEmpty()) {
      awaitNothing();
    }
    return answer("nextBatch", id, stream, told);
  }

  /** Nothing new will happen, and who waits for it is not to ask all the time. */
  private static void awaitNothing() {
    try {
      Thread.sleep(PAUSE_MS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static Document answer(String field, long id, Stream stream, List<Document> told) {
    String namespace = stream.database + "." + (stream.collection == null ? "$cmd.aggregate" : stream.collection);
    Document cursor = new Document("id", id).append("ns", namespace).append(field, told);
    cursor.append("postBatchResumeToken", new Document("_data", stream.after));
    return new Document("cursor", cursor).append("operationTime", Change.beginning()).append("ok", 1.0);
  }
}
