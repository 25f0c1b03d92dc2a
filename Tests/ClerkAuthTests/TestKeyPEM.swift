/// Two RSA key pairs made for these tests with `openssl genpkey -algorithm RSA`. They guard nothing and never did.
enum TestKeyPEM {
    static let first = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCnd46EeS1LoSYl
        Gs5R/rx4nIBoSNNR/BkBIpO4ydv3qw2s/2Gqdin9dSIsxwXBRbKtM0FiuBtemMIB
        wx0bMxiOy9QiVKfgMwvzLALdynFmCVC8W/5+wU0L5RRQtgIGY+pHAA15ZmUY2/Rl
        jQ07Lc+Q9otDUrC4l4IZyJ8ONT2rvhqVEliBZsBANjXBpK1Rl+c6CLGdOFLE0SW5
        MGQ1H5bf7bWfKi4MzWV7vI5XB37YfkrOQiPEs53QQrqCOjRTGfvSDhJc4ar+vnP9
        JIiCePDRvlrG7g5kngQY140eEnDyGs5ouxAC3TZlhlBR2w8d6gsD2dDfiG7LzJv3
        DJ1N8b7HAgMBAAECggEAJV0ZYRkgMAWOWyz153lsV4SjaaEF9P7IHWa3ir0O5N03
        OefoxH2EtNYTf+YPtKV2Tgpnhj0Jbjuq3XXI4q6txf5YICi/I9h/zAt/wDhQwLFH
        YB8uUt2R8Rt1QuS44vAb7ydl2jYsTDWW+6lS0GdSLkeznpuubiDvmA0Y37SlQ9HT
        z5Ui3NIJFwRjYVaM44KdSGnmXvUMS41ujhi8MGafcU0qNbANV5QTe3pv3mLf+O1Y
        E5PrbCo9YYtO6rPhx6NMIVglMDAgVkFs2Qgkf25V1526t+GOTwgbrfybihoHbSnG
        6MKhVgiiPwxLWbjbdeVJYIEAmuQ6Cq/+mK11QrlfAQKBgQDcGV0AKqDeNeLDtlUO
        aP2w0YngLtignrp+qGFuo2HiTsliaFNK2o+ofI/cZq/lzIufYRq4OZeTUp9mMmpl
        ktvbsZe1Mhh5ddyuFZmNfYzsbgBtXPD9fP6+K4asHzv9hs6OgyEkqbQORrByv0Uf
        +pSVGKHToipNtoZ8+A0261cnhwKBgQDCyHI/RLliSNaSiyeYAmrtatsSIA3FrVLy
        o0qqMhBYXzLmcMA22vUG7DuEpip0zxFKc6HIVWa8y25OtYS5twPCIiNnAC8LiTOD
        9jtu29V60ExUnLi2RhZZZOO+P1gfU1N2KW9NsiLiTf38j6z9IZHpFtd3aVU4CZP5
        PMOy/xP+wQKBgQC7hqikYa2aZlME6S7jDjVIF9/fMErF3zeKfrA08eOOTA5tV/HP
        jxRjO23fHWa05mf3rWZ0nC03CmhhTIc2b7//GPrnGP2dTvxtHl4sHVKahsa6Zzu0
        3nC1WqRttlcIlXkcF0F/2U9d8oCX47tjmb5KoigPBtYATImdpEKuDim9tQKBgCel
        3Xt7ZbDX2rVhleGfPFyvT4BU/fiq2yOAkYYrQqB6YEX/1WBVGWMbWtIZcLLuIzrg
        ZqH8oDj1v7JNyIJ0+lLd2A7zPqA+gTnvORHLtZyWIbNnY0HW6l2v55umES3vLCH1
        NS6/f9JIxdZO+Itd9fFYMOuhiTMq3+/vqnYY7d0BAoGACp/LmjESpWYoAmjgh1VV
        RWcCZis4eSk6faEzaDNjaPzyuy4AHP4mj/Z7egvl/GKvUNQ8lC/HHehyLTrXFNhe
        WqtD57dJVRZkuV6CD7XAObiER/NpoWObUcEwfQpSSltFaOmhw2iP5RxOgcrw8M+v
        YsEaHrbyI1hkghzElMQpxAg=
        -----END PRIVATE KEY-----
        """

    static let second = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCxPc8GhznTeDbL
        9jyqPqJOjbi1baT/UyojyCVVD08hgkDLZV8neIxB9ZGFUb5/gvQTwi/gsoe0VxQf
        uEWSdl9yssmVtZkwYlvqITGQmdZLjweINWoCulncSFekgt/q5o914MbHDb57B+Pj
        Nik/saUzHy84d08PojSX1TwTgEfync9ytKpRgdMULCh4GZ+6klZ8fv1JkyGbbHuW
        OjRnSAR1FugJPaJSxdlh/w1yToJyVXdWy5nC2EelL3GiSkhheSKoIk2Yj2F5ttOC
        GJxy6lUcAk+m8WvNbpwS/kx1UJbme0Zqyp8VyYhS3rE64jm7wnge8edvNkbEZzFS
        vnn3MKbrAgMBAAECggEABEIWY7NC/eQg+OR5D6QClT2NZvpz4Nh4JjTsRK9h+M2e
        zeQpFZMtV3ZVYS0WFQ0p3QGo0c6oOPpwltSAA2VJpMFL24dp30I1sBnNDYrMnbMZ
        fLm/ysH8X7DzPhYQ2B1i6/OTAvw/C8ikPnSyKAAWFnTU1xfys87zUYSDdXp7AAal
        Q6KQC1OMy9Q+YTDpE/0XocaEtCkBEq8tA7cB3g3uXtFPba/2BnTXkfGozD9CkqYr
        6qOxmhivCgD82EYo2+/ff1SsndUeG1TmZPovzA4UZHdQuYlpPx0IkV/y2j6rZ5P+
        EnsERSRtEEjU13rw8LYwE1TiYIZpbh9uhdIIvWxtHQKBgQDvaIa8T7+rPvBhS8V4
        q6cc6t2OcJF+GkHs0rpMp+IR63xNwAtCwT6gCDhzost+9pTu5TGGYG7u/6veo/O2
        QEnp9EJP8/z3KY2kAt3rysR5dGR80UJsKs5+43BoZ3t8T3p1tY8DpiKD9NMB2mdJ
        Ag8mO7wd7eUbt76MGReDMVwEHwKBgQC9hliUrlVxgae0Z4vL3GgTTNR9c62fU+zn
        OynMv1mFesdbSD07fJNVMEcXBWbAgrQqVYlzwP5CBA5zpvHS6BPBFWbebJo6w2/g
        QPGPh7sgGScZ1HEq9juvNSk1uYZ3eHPnzOAb23/2MAyj3Q96/ARTL2QCq7TYCnx6
        bDV3JT6jtQKBgEYyT89HUtvTSIg+v1fyfL1t4CizuPVQnaPi5d00HIVElt31QVgB
        cWta/bJqOWCwzFp/uVW9UMmjDbHqQLtffkyq4gavc6zE8lL0xD0u5wz1o8E1WlR8
        +K8b4Qm7zelVJIL/CT/4poYqcvRIJaCyid6cBTyBVHwcFDLf6JT/FAvhAoGBAKnc
        6TOI9Ieg/yAP1hnG13jE2YX+0dQFMkUkn5gkwCWEH31Ox6KzSpGFjZGyg59zBesT
        cvhONxQP8qvxKrguzNW3StV7XNfiJjlFu7s6mZpxMLxTzYIF4wRrjx3ZxAz75lYR
        J6OQHaYW9p0/GgrOKUotJWPHZXRkIaDPrzO0K+opAoGANFEVG6Gf+Q2LeqiV29O+
        9hlvIWuf3cU4yFzPNaFnSFcLM5hJ/lJ1rOmgJhWHsUCXBoMvp4aA3U9AbyW5Aozs
        Y6ZE84jS9R5JZ4tl8OmG2Nuyah1hvMLZkoqW0HVFQ6l3nSwQGqEfon5AxitlkfNd
        68z7B/YN57O5UCjE0fxZ+ok=
        -----END PRIVATE KEY-----
        """
}
