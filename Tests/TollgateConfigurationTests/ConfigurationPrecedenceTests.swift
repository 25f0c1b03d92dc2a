import FoundationEssentials
import Logging
import Testing
import TollgateConfiguration
import TollgateCore

@Suite struct ConfigurationPrecedenceTests {
    private typealias Fixture = ConfigurationFixture

    /// The five layers, highest first, with the port that each of them says.
    @Test func everyLayerWinsOverTheOnesBelow() throws {
        let layers: [(place: String, port: Int)] = [
            ("flag --port", 1001), ("environment variable TOLLGATE_PORT", 1002), (".env:2", 1003),
            ("tollgate.yaml:3", 1004), ("default", 8080),
        ]
        for highest in layers.indices {
            var (flags, environment, files) = ([String: String](), Fixture.minimal, [String: String]())
            if highest <= 0 { flags["TOLLGATE_PORT"] = "1001" }
            if highest <= 1 { environment["TOLLGATE_PORT"] = "1002" }
            if highest <= 2 { files[".env"] = "# the port\nTOLLGATE_PORT=1003\n" }
            if highest <= 3 { files["tollgate.yaml"] = "host: 127.0.0.1\n\nport: 1004\n" }
            let configuration = try Fixture.load(flags: flags, environment: environment, files: files)
            let (place, port) = layers[highest]
            #expect(configuration.port == port)
            #expect(configuration.describe().contains("TOLLGATE_PORT = \(port) (\(place))"))
        }
    }

    @Test func emptyValueCountsAsNotGiven() throws {
        let configuration = try Fixture.load(
            flags: ["TOLLGATE_PORT": ""], environment: Fixture.minimal.merging(["TOLLGATE_PORT": " "]) { $1 },
            files: [".env": "TOLLGATE_PORT=\n", "tollgate.yaml": "port: 1004\nhost:\nadmin:\n"])
        #expect(configuration.port == 1004)
        #expect(configuration.host == "0.0.0.0")
    }

    @Test func defaultsHoldWhenNothingElseIsGiven() throws {
        let configuration = try Fixture.load()
        #expect(configuration.host == "0.0.0.0")
        #expect(configuration.port == 8080)
        #expect(configuration.adminHost == "127.0.0.1")
        #expect(configuration.adminPort == 9090)
        #expect((1...256).contains(configuration.threads))
        #expect(configuration.logLevel == .info)
        #expect(configuration.drainSeconds == 2)
        #expect(configuration.bodyLimitBytes == 65_536)
        #expect(configuration.headerLimitBytes == 32_768)
        #expect(configuration.idleTimeoutSeconds == 60)
        #expect(configuration.redis.timeoutMilliseconds == 200)
        #expect(configuration.clerk.apiURL == "https://api.clerk.com")
        #expect(configuration.stripe.apiURL == "https://api.stripe.com")
        #expect(configuration.stripe.secretKey == nil)
        #expect(configuration.stripe.webhookSecrets.isEmpty)
        #expect(configuration.frontendURL == nil)
        #expect(configuration.plans == .standard)
    }

    @Test func configurationFileIsTakenFromWhereItIsNamed() throws {
        let files = [
            "tollgate.yaml": "port: 1001\n", "flag.yaml": "port: 1002\n", "environment.yaml": "port: 1003\n",
            "dotenv.yaml": "port: 1004\n", ".env": "TOLLGATE_CONFIG=dotenv.yaml\n",
        ]
        let named = Fixture.minimal.merging(["TOLLGATE_CONFIG": "environment.yaml"]) { $1 }
        let flag = ["TOLLGATE_CONFIG": "flag.yaml"]
        #expect(try Fixture.load(flags: flag, environment: named, files: files).port == 1002)
        #expect(try Fixture.load(environment: named, files: files).port == 1003)
        #expect(try Fixture.load(files: files).port == 1004)
    }

    /// The other names of a setting follow from the environment's name.
    /// As `tollgate dev` has it: the file lies elsewhere than what the program keeps, need not exist, and may come later.
    @Test func defaultFileMayLieElsewhereAndComeLater() throws {
        try Fixture.withDirectory(["tollgate.yaml": "port: 1005\n", ".env": "TOLLGATE_HOST=127.0.0.1\n"]) { work in
            try Fixture.withDirectory([:]) { elsewhere in
                let file = elsewhere + "/tollgate.yaml"
                let before = try GatewayConfiguration.load(
                    flags: [:], environment: Fixture.minimal, workingDirectory: work, defaultFile: file)
                #expect(before.port == 8080)
                #expect(before.host == "127.0.0.1")
                #expect(before.file.path == file && !before.file.hasContents)
                try Data("port: 1006\n".utf8).write(to: URL(filePath: file))
                let after = try before.reloaded()
                #expect(after.port == 1006)
            }
        }
    }

    @Test func everySettingHasOneNameInEveryPlace() {
        #expect(Setting.clerkJWKSURL.flag == "--set CLERK_JWKS_URL")
        #expect(Setting.clerkJWKSURL.yamlPath == ["clerk", "jwksUrl"])
        #expect(Setting.adminPort.flag == "--admin-port")
        #expect(Setting.adminPort.yamlPath == ["admin", "port"])
        #expect(Setting.frontendURL.yamlPath == ["frontendUrl"])
        #expect(Setting.idleTimeoutSeconds.yamlPath == ["idleTimeoutSeconds"])
        #expect(Setting.configurationFile.yamlPath == nil)
        #expect(Setting.withOption.isSubset(of: Setting.all.map(\.name)))
        #expect(Set(Setting.all.map(\.name)).count == Setting.all.count)
        #expect(Set(Setting.all.map(\.flag)).count == Setting.all.count)
    }

    /// Each of them, so that no name is lost on its way through swift-configuration's keys.
    @Test(arguments: Setting.all.filter { $0 != .configurationFile })
    func everySettingCanBeGivenInEveryPlace(_ setting: Setting) throws {
        let value = try #require(Fixture.complete[setting.name])
        let path = try #require(setting.yamlPath)
        var environment = Fixture.complete
        environment[setting.name] = nil

        func check(
            _ place: String, flags: [String: String] = [:], variables: [String: String] = [:],
            files: [String: String] = [:]
        ) throws {
            let configuration = try Fixture.load(
                flags: flags, environment: environment.merging(variables) { $1 },
                files: files.merging(["redis.pem": "certificate"]) { $1 })
            let line = configuration.describe().first { $0.hasPrefix("\(setting.name) = ") }
            #expect(line?.hasSuffix("(\(place))") == true, "\(line ?? "no line")")
        }
        try check("flag \(setting.flag)", flags: [setting.name: value])
        try check("environment variable \(setting.name)", variables: [setting.name: value])
        try check(".env:1", files: [".env": "\(setting.name)='\(value)'"])
        try check("tollgate.yaml:\(path.count)", files: ["tollgate.yaml": setting.yaml(value)])
    }
}
