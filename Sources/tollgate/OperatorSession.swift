import ArgumentParser
import AsyncHTTPClient
import HTTPTypes
import JSONValue
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import OutboundCalls
import PercentCoding
import TollgateCore
import TollgateDataPlane
import TollgateServer

/// How a command of an operator reaches the gateway, and how it shows what is answered.
struct OperatorSession: ParsableArguments {
    @OptionGroup var options: OperatorOptions

    @Option(
        help: ArgumentHelp(
            "Ask this admin port, with the token in TOLLGATE_ADMIN_TOKEN, instead of Redis.", valueName: "URL"))
    var admin: String?

    @Flag(help: "Print JSON, for programs.")
    var json = false

    /// The statuses that commands end with.
    enum ExitStatus {
        static let refused: Int32 = 1
        static let notFound: Int32 = 3
        static let notPermitted: Int32 = 4
        static let unavailable: Int32 = 5
    }

    private static let timeout = TimeAmount.minutes(10)

    /// Asks, and shows the answer.
    ///
    /// - Parameter show: Makes lines for people of it.
    func ask(
        _ method: OperatorCall.Method, _ path: String, query: [String: String] = [:], body: JSON? = nil,
        show: (JSON) -> String
    ) async throws {
        let answer = try await answer(method, path, query: query, body: body)
        Process.say(json ? answer.text + "\n" : show(answer))
    }

    /// Asks for JSON.
    func answer(
        _ method: OperatorCall.Method, _ path: String, query: [String: String] = [:], body: JSON? = nil
    ) async throws -> JSON {
        var text = ""
        try await send(method, path, query: query, body: body, wantsCSV: false) { text += $0 }
        guard let json = JSON(parsing: text.utf8) else {
            throw Process.fail("The admin port has answered with something else than JSON.")
        }
        return json
    }

    /// Asks for a text of any length, which is given to `write` in parts.
    func send(
        _ method: OperatorCall.Method, _ path: String, query: [String: String] = [:], body: JSON? = nil,
        wantsCSV: Bool, _ write: (String) async throws -> Void
    ) async throws {
        let buffer = body.map { ByteBuffer(string: $0.text) } ?? ByteBuffer()
        if let admin { return try await sendOverHTTP(admin, method, path, query, buffer, wantsCSV, write) }
        let configuration = try options.load()
        let call = OperatorCall(
            method, path, query: query, body: buffer, wantsCSV: wantsCSV,
            identity: OperatorIdentity(name: "console", role: .admin))
        do {
            try await OperatorConsole.with(
                configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
                logger: Process.makeLogger(level: .error, time: SystemClock())
            ) { api in
                switch try await api.answer(call).body {
                case .json(let json): try await write(json.text)
                case .text(_, let make): try await make { try await write($0) }
                }
            }
        } catch let error as APIError {
            throw Self.failure(error.message ?? error.error, status: Int(error.status.code))
        } catch let error as ExitCode {
            throw error
        } catch {
            throw Process.fail("\(error)", status: ExitStatus.unavailable)
        }
    }

    private func sendOverHTTP(
        _ url: String, _ method: OperatorCall.Method, _ path: String, _ query: [String: String], _ body: ByteBuffer,
        _ wantsCSV: Bool, _ write: (String) async throws -> Void
    ) async throws {
        guard let token = Process.environment["TOLLGATE_ADMIN_TOKEN"], !token.isEmpty else {
            throw Process.fail(
                "Set TOLLGATE_ADMIN_TOKEN: --admin asks the admin port with it.", status: ExitStatus.notPermitted)
        }
        guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
            throw ValidationError("--admin takes a URL, such as http://127.0.0.1:9090")
        }
        let base = url.hasSuffix("/") ? String(url.dropLast()) : url
        let words = query.sorted { $0.key < $1.key }.map { "\($0.key)=\(PercentEncoding.component($0.value))" }
        var request = HTTPClientRequest(
            url: "\(base)/admin/v1/\(path)" + (words.isEmpty ? "" : "?" + words.joined(separator: "&")))
        request.method = .init(rawValue: method.rawValue)
        request.headers.add(name: "Authorization", value: "Bearer \(token)")
        request.headers.add(name: "Accept", value: wantsCSV ? "text/csv" : "application/json")
        if body.readableBytes > 0 {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(body)
        }
        do {
            try await HTTPClient.withHTTPClient(
                configuration: .outbound(connect: .seconds(5), read: .seconds(30))
            ) { [request] client in
                try await Self.receive(try await client.execute(request, timeout: Self.timeout), write)
            }
        } catch let error as ExitCode {
            throw error
        } catch {
            let service = CalledService(name: "The admin port")
            throw Process.fail("\(CallError(error, calling: service, at: base))", status: ExitStatus.unavailable)
        }
    }

    /// Gives the body of an answer to `write`, in parts that end with a character.
    private static func receive(
        _ response: HTTPClientResponse, _ write: (String) async throws -> Void
    ) async throws {
        guard (200..<300).contains(response.status.code) else {
            let text = String(buffer: try await response.body.collect(upTo: 65_536))
            let refusal = JSON(parsing: text.utf8)
            if response.status.code == 404, refusal?["code"].string ?? "not-found" == "not-found" {
                throw Process.fail(
                    "No admin port of Tollgate answers there: it has nothing at /admin/v1. Give its address alone, such as "
                        + "http://127.0.0.1:9090.", status: ExitStatus.unavailable)
            }
            throw failure(
                refusal?["message"].string ?? refusal?["error"].string
                    ?? "The admin port answers \(response.status.code).",
                status: Int(response.status.code))
        }
        // Parts may end within a character.
        var rest: [UInt8] = []
        for try await part in response.body {
            rest += part.readableBytesView
            let whole = rest.lastIndex { $0 < 0x80 }.map { $0 + 1 } ?? 0
            try await write(String(decoding: rest[..<whole], as: UTF8.self))
            rest.removeFirst(whole)
        }
        if !rest.isEmpty { try await write(String(decoding: rest, as: UTF8.self)) }
    }

    private static func failure(_ message: String, status: Int) -> any Error {
        let exit =
            switch status {
            case 400: ExitCode.validationFailure.rawValue
            case 404: ExitStatus.notFound
            case 401, 403: ExitStatus.notPermitted
            case 503: ExitStatus.unavailable
            default: ExitStatus.refused
            }
        return Process.fail(message, status: exit)
    }

    /// What an id becomes in a path.
    static func segment(_ text: String) throws -> String {
        guard let segment = PercentEncoding.pathSegment(text) else { throw ValidationError("'\(text)' is no id.") }
        return segment
    }
}

/// A command about one user.
struct UserSession: ParsableArguments {
    @Argument(help: ArgumentHelp("The user's id.", valueName: "user")) var id: String
    @OptionGroup var door: OperatorSession

    /// Asks something about the user, and shows the answer.
    ///
    /// - Parameter rest: What follows the user in the path, such as `/grants`.
    func ask(
        _ method: OperatorCall.Method, _ rest: String = "", query: [String: String] = [:], body: JSON? = nil,
        show: (JSON) -> String
    ) async throws {
        try await door.ask(method, "users/\(OperatorSession.segment(id))\(rest)", query: query, body: body, show: show)
    }

    /// Decides something about the user. Of one who has never called it is said, for the id may be typed wrong.
    func change(
        _ method: OperatorCall.Method, _ rest: String, body: JSON? = nil,
        show: (JSON) -> String = { $0["operator"].lines() }
    ) async throws {
        try await ask(method, rest, body: body) { answer in
            if answer["isKnown"] == .bool(false) {
                Process.complain(
                    "\(id) has not called here yet, and bought nothing. If that is a surprise, check the id; capitals matter.\n"
                )
            }
            return show(answer)
        }
    }
}

/// A number with what it counts, such as `1 user` or `2 users`.
func counted(_ number: JSON, _ noun: String) -> String {
    number.integer == 1 ? "1 \(noun)" : "\(number.cell) \(noun)s"
}

/// A table for people: columns as wide as they have to be, two blanks between them.
struct TextTable {
    private var rows: [[String]]

    init(_ heads: String...) { rows = [heads] }

    mutating func add(_ cells: String...) { rows.append(cells) }

    var text: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { place, cell in
                place == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[place] - cell.count)
            }
            return cells.joined(separator: "  ") + "\n"
        }.joined()
    }
}

extension JSON {
    /// As a cell of a table: a text as it is, nothing as `-`.
    var cell: String {
        switch self {
        case .null: "-"
        case .string(let text): text
        case .bool(let flag): flag ? "yes" : "no"
        default: text
        }
    }

    /// Members as lines `name  value`; what stands within others is indented.
    func lines(indent: String = "") -> String {
        (members ?? []).map { member in
            if let inner = member.value.members, !inner.isEmpty {
                return "\(indent)\(member.name):\n" + member.value.lines(indent: indent + "  ")
            }
            if let elements = member.value.elements {
                guard !elements.isEmpty else { return "\(indent)\(member.name): none\n" }
                return "\(indent)\(member.name):\n"
                    + elements.map { "\(indent)  - \($0.members == nil ? $0.cell : $0.inline)\n" }.joined()
            }
            return "\(indent)\(member.name): \(member.value.cell)\n"
        }.joined()
    }

    private var inline: String {
        (members ?? []).filter { $0.value != .null }.map { "\($0.name) \($0.value.cell)" }.joined(separator: ", ")
    }
}
