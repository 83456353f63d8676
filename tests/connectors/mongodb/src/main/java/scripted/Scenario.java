package scripted;

import de.bwaldvogel.mongo.backend.Utils;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.bson.BsonDecoder;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bson.RawBsonDocument;

/**
 * What the database holds at first and what happens to it then, from a file of extended JSON.
 *
 * <p>Owns how a change becomes the event that MongoDB 7 tells of it, as its manual describes it. A
 * document that an update looks up is read when so many further changes have happened as the scenario
 * says: it may be newer than the update, and it may be gone.
 */
final class Scenario {
  final String database;
  /** By collection, in the order of the file. */
  final Map<String, List<Document>> documents = new LinkedHashMap<>();

  final List<Change> changes = new ArrayList<>();

  /** By collection and id, at first and after each change. A document in it is never changed. */
  private final List<Map<String, Map<Object, Document>>> states = new ArrayList<>();

  private Scenario(Document file) {
    database = (String) file.get("database");
    String rooms = (String) file.get("collection");
    Map<String, Map<Object, Document>> state = new HashMap<>();
    ((Document) file.get("documents")).forEach((collection, all) -> {
      for (Document document : documents(all)) {
        documents.computeIfAbsent(collection, __ -> new ArrayList<>()).add(document);
        state.computeIfAbsent(collection, __ -> new LinkedHashMap<>()).put(document.get("_id"), document);
      }
    });
    states.add(state);
    List<Document> told = documents(file.get("changes"));
    for (Document change : told) {
      states.add(after(states.get(states.size() - 1), (String) change.getOrDefault("collection", rooms), change));
    }
    for (int number = 0; number < told.size(); number++) {
      changes.add(change(number, (String) told.get(number).getOrDefault("collection", rooms), told.get(number)));
    }
  }

  static Scenario read(Path path) throws IOException {
    ByteBuffer bytes = RawBsonDocument.parse(Files.readString(path)).getByteBuffer().asNIO();
    return new Scenario(BsonDecoder.decodeBson(Unpooled.wrappedBuffer(bytes)));
  }

  private static Map<String, Map<Object, Document>> after(
      Map<String, Map<Object, Document>> before, String collection, Document change) {
    Map<String, Map<Object, Document>> after = new HashMap<>(before);
    Map<Object, Document> documents = new LinkedHashMap<>(after.getOrDefault(collection, Map.of()));
    after.put(collection, documents);
    for (String operation : List.of("insert", "replace")) {
      if (change.get(operation) instanceof Document document) {
        documents.put(document.get("_id"), document);
      }
    }
    if (change.containsKey("update")) {
      documents.computeIfPresent(change.get("update"), (__, document) -> updated(document, change));
    }
    documents.remove(change.get("delete"));
    if ("drop".equals(change.get("other"))) {
      after.remove(collection);
    }
    return after;
  }

  private static Document updated(Document before, Document change) {
    Document after = before.cloneDeeply();
    set(change).forEach((name, value) -> Utils.changeSubdocumentValue(after, name, value));
    unset(change).forEach(name -> Utils.removeSubdocumentValue(after, (String) name));
    for (Document cut : truncated(change)) {
      List<?> elements = (List<?>) after.get(cut.get("field"));
      after.put((String) cut.get("field"), new ArrayList<>(elements.subList(0, (Integer) cut.get("newSize"))));
    }
    return after;
  }

  private Change change(int number, String collection, Document told) {
    Document namespace = new Document("db", database).append("coll", collection);
    for (String operation : List.of("insert", "replace", "update", "delete")) {
      if (!told.containsKey(operation)) {
        continue;
      }
      Object id = told.get(operation) instanceof Document document ? document.get("_id") : told.get(operation);
      Document event = new Document("operationType", operation).append("ns", namespace);
      event.append("documentKey", new Document("_id", id));
      if (operation.equals("update")) {
        Document description = new Document("updatedFields", set(told)).append("removedFields", unset(told));
        event.append("updateDescription", description.append("truncatedArrays", truncated(told)));
      }
      int lookUp = Math.min(number + 1 + (Integer) told.getOrDefault("looked_up_after", 0), states.size() - 1);
      return new Change(
          number, event, document(number, collection, id), document(number + 1, collection, id),
          document(lookUp, collection, id));
    }
    Document event = new Document("operationType", told.get("other")).append("ns", namespace);
    return new Change(number, event, null, null, null);
  }

  private Document document(int state, String collection, Object id) {
    return states.get(state).getOrDefault(collection, Map.of()).get(id);
  }

  private static Document set(Document change) {
    return (Document) change.getOrDefault("set", new Document());
  }

  private static List<?> unset(Document change) {
    return new ArrayList<>((List<?>) change.getOrDefault("unset", List.of()));
  }

  private static List<Document> truncated(Document change) {
    return documents(change.getOrDefault("truncated", List.of()));
  }

  private static List<Document> documents(Object list) {
    return new ArrayList<>(((List<?>) list).stream().map(Document.class::cast).toList());
  }
}
