#include "pipeline/sample_texts.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Written for this purpose. */
static const char *const to_measure[] = {
    "What is the boiling point of water at high altitude?",
    "The harbour froze over in the winter of 1883, and for eleven weeks the fishermen walked "
    "to "
    "the island across the ice with sledges, lanterns and dogs.",
    "To install the program, copy it into a folder of your path, make it executable, and run "
    "it "
    "once with --help. If it answers with a list of commands, everything is in place. If not, "
    "look at the last lines of the log and send them to us together with the version number.",
    "水在高原上的沸点是多少？",
    "梯度下降法沿着损失函数下降最快的方向更新参数，学习率决定每一步走多远。学习率太大时，损失可"
    "能"
    "发散；学习率太小时，训练会非常缓慢，因此常常在训练过程中逐渐减小它。",
    "第三章 "
    "图书馆的开放时间\n\n周一至周五，上午九点到晚上八点；周六只开放半天。法定节假日闭馆。",
    "請問這份合約的違約金如何計算？依第七條規定，每逾期一日按總價千分之一計。",
    "駅から美術館までは歩いて十分ほどです。入場券は当日でも買えますが、土日は混み合います。",
    "도서관은 월요일에 쉽니다. 예약한 책은 이틀 동안 보관됩니다.",
    "Die Mitgliederversammlung beschließt mit einfacher Mehrheit, soweit die Satzung nichts "
    "anderes bestimmt.",
    "Le moulin fut reconstruit en pierre après l'incendie, mais il ne tourna plus jamais.",
    "¿Cuánto tarda el tren de la costa en verano, y dónde se compran los billetes?",
    "Почему ночью небо тёмное, если звёзд бесконечно много?",
    "متى يفتح المتحف أبوابه للزوار في فصل الشتاء؟",
    "बारिश के बाद खेतों में पानी भर गया और सड़क दो दिन तक बंद रही।",
    "ตลาดเช้าเปิดตั้งแต่ตีห้าและปิดก่อนเที่ยง",
    "Chợ nổi họp từ sáng sớm, khi sương còn phủ trên mặt sông.",
    "Kütüphaneye üye olmak için kimlik ve bir fotoğraf yeterlidir.",
    "O barco parte às sete horas, se o vento permitir.",
    "for (size_t i = 0; i < count; i++) {\n    if (items[i].size > limit)\n        return "
    "fail(error, \"item %zu is too large\", i);\n    total += items[i].size;\n}",
    "def area(radius):\n    \"\"\"Area of a circle.\"\"\"\n    return math.pi * radius ** "
    "2\n\nprint("
    "area(2.5))",
    "$$\\hat{\\beta} = (X^\\top X)^{-1} X^\\top y, \\qquad \\mathrm{Var}(\\hat{\\beta}) = "
    "\\sigma^2 "
    "(X^\\top X)^{-1}$$",
    "| year | rain (mm) | days of frost |\n|---|---|---|\n| 2019 | 712 | 41 |\n| 2020 | 655 | "
    "28 |",
    "error: 0x80070005 access denied (C:\\Users\\anna\\report.xlsx)",
    "photosynthesis",
    "量子",
    "?!",
    "3.14159",
};

static const char *const to_compare[] = {
    "Who built the first lighthouse on the northern cape, and of what material?",
    "Bees dance to tell each other where flowers are: the angle of the dance stands for the "
    "direction against the sun, its length for the distance.",
    "Chapter 4. Returns and refunds. Goods may be returned within thirty days of delivery in "
    "their original packing. We refund the price and the cost of the cheapest shipment; the "
    "cost "
    "of sending goods back is yours unless they were damaged. Refunds are paid to the account "
    "that the order was paid from, as a rule within a week.",
    "谁发明了活字印刷术？",
    "卷积神经网络利用局部连接和权重共享来处理图像：同一个卷积核在整幅图像上滑动，因此参数很少，"
    "并且"
    "对平移不敏感。汇聚层进一步降低分辨率，使后面的层能看到更大的区域。",
    "会议纪要：一、预算增加百分之五；二、新系统于十月上线；三、下次会议由王工主持。",
    "颱風過後，山路多處坍方，居民只能步行下山採買。",
    "この薬は食後に一錠ずつ、一日三回飲んでください。",
    "서울에서 부산까지 기차로 얼마나 걸리나요?",
    "Der Brunnen im Hof gibt seit dem trockenen Sommer kein Wasser mehr.",
    "Les oiseaux reviennent au printemps, quand les jours s'allongent.",
    "El contrato se prorroga por un año si ninguna de las partes lo denuncia.",
    "Урожай в этом году собрали на две недели раньше обычного.",
    "كيف أستعيد كلمة المرور إذا نسيتها؟",
    "नदी के किनारे एक पुराना मंदिर है।",
    "Per quanto tempo si conserva il pane in un sacchetto di carta?",
    "Pociąg do Krakowa odjeżdża z peronu trzeciego.",
    "Giấy phép này có giá trị trong ba năm.",
    "SELECT name, COUNT(*) FROM orders WHERE paid = 0 GROUP BY name HAVING COUNT(*) > 3;",
    "#include <stdio.h>\n\nint main(void)\n{\n    int sum = 0;\n    for (int i = 1; i <= 10; "
    "i++)\n    "
    "    sum += i;\n    printf(\"%d\\n\", sum);\n    return 0;\n}",
    "\\int_0^1 x^n (1 - x)^m \\, dx = \\frac{n! \\, m!}{(n + m + 1)!}",
    "- flour, 500 g\n- water, 350 g\n- salt, 10 g\n- yeast, a pinch\n\nMix, wait a night, bake "
    "at "
    "230 degrees.",
    "2024-03-17T08:15:02Z WARN retrying in 5 s (attempt 3 of 10)",
    "osmosis",
    "缓存",
    "42",
};

struct sample_texts sample_texts_to_measure(void)
{
    return (struct sample_texts){to_measure, COUNT(to_measure)};
}

struct sample_texts sample_texts_to_compare(void)
{
    return (struct sample_texts){to_compare, COUNT(to_compare)};
}
